#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// (x, y, loss): the mean over all elements, loss has one; all contiguous.
inline KernelTable<void(const Tensor&, const Tensor&, const Tensor&)> mse_kernel{"mse"};
inline KernelTable<void(const Tensor&, const Tensor&, const Tensor&)> bce_with_logits_kernel{
    "bce_with_logits"};

/// dloss has one element; dx, dy are undefined where they are not needed.
struct ElementwiseLossBackward {
  Tensor x, y, dloss, dx, dy;
};
inline KernelTable<void(const ElementwiseLossBackward&)> mse_backward_kernel{"mse backward"};
inline KernelTable<void(const ElementwiseLossBackward&)> bce_with_logits_backward_kernel{
    "bce_with_logits backward"};

}  // namespace diagrad
