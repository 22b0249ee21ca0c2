#pragma once

#include <cstdint>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// A contiguous tensor as [outer, length, inner], the middle being the axis.
struct SoftmaxAxis {
  int64_t outer = 0;
  int64_t length = 0;
  int64_t inner = 0;
};

/// (axis, x, y) and (axis, y, dy, dx).
inline KernelTable<void(const SoftmaxAxis&, const Tensor&, const Tensor&)> softmax_kernel{
    "softmax"};
inline KernelTable<void(const SoftmaxAxis&, const Tensor&, const Tensor&, const Tensor&)>
    softmax_backward_kernel{"softmax backward"};
inline KernelTable<void(const SoftmaxAxis&, const Tensor&, const Tensor&)> log_softmax_kernel{
    "log_softmax"};
inline KernelTable<void(const SoftmaxAxis&, const Tensor&, const Tensor&, const Tensor&)>
    log_softmax_backward_kernel{"log_softmax backward"};

}  // namespace diagrad
