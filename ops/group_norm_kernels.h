#pragma once

#include <cstdint>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// All contiguous; gamma and beta may be undefined; mean and rstd, f64 [B, groups] (one per
/// row for layer_norm), are results.
struct GroupNormForward {
  Tensor x, gamma, beta;
  int64_t groups;
  double epsilon;
  Tensor y, mean, rstd;
};
inline KernelTable<void(const GroupNormForward&)> group_norm_forward_kernel{"group_norm"};
inline KernelTable<void(const GroupNormForward&)> layer_norm_forward_kernel{"layer_norm"};

/// dx, dgamma, dbeta are undefined where they are not needed. For layer_norm dx may be dy, and with
/// `accumulate` its gradient is added to what dx holds.
struct GroupNormBackward {
  Tensor x, dy, gamma, mean, rstd;
  int64_t groups;
  Tensor dx, dgamma, dbeta;
  bool accumulate = false;
};
inline KernelTable<void(const GroupNormBackward&)> group_norm_backward_kernel{
    "group_norm backward"};
inline KernelTable<void(const GroupNormBackward&)> layer_norm_backward_kernel{
    "layer_norm backward"};

}  // namespace diagrad
