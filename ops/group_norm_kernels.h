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
  bool silu = false;  ///< of group_norm: y = silu of the result
  Tensor shift = {};  ///< of group_norm with silu: [B,C] or undefined, added to x
};
inline KernelTable<void(const GroupNormForward&)> group_norm_forward_kernel{"group_norm"};
inline KernelTable<void(const GroupNormForward&)> layer_norm_forward_kernel{"layer_norm"};

/// dx, dgamma, dbeta are undefined where they are not needed. For layer_norm, and for group_norm
/// with silu, dx may be dy, and with `accumulate` its gradient is added to what dx holds.
struct GroupNormBackward {
  Tensor x, dy, gamma, mean, rstd;
  int64_t groups;
  Tensor dx, dgamma, dbeta;
  bool accumulate = false;
  bool silu = false;  ///< what follows is read with it alone, and dy is overwritten
  Tensor beta = {}, shift = {};
  Tensor dshift = {};  ///< undefined where it is not needed
  Tensor y = {};       ///< where defined, becomes the result of the forward pass
};
inline KernelTable<void(const GroupNormBackward&)> group_norm_backward_kernel{
    "group_norm backward"};
inline KernelTable<void(const GroupNormBackward&)> layer_norm_backward_kernel{
    "layer_norm backward"};

}  // namespace diagrad
