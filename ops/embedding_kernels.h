#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// (weight [V,D], indices, y [...,D]) and (dy, indices, dweight); all contiguous, indices checked.
inline KernelTable<void(const Tensor&, const Tensor&, const Tensor&)> embedding_kernel{"embedding"};
inline KernelTable<void(const Tensor&, const Tensor&, const Tensor&)> embedding_backward_kernel{
    "embedding backward"};

/// (x, axis, index, y) and (dy, axis, index, dx); all contiguous, indices checked.
inline KernelTable<void(const Tensor&, int, const Tensor&, const Tensor&)> gather_kernel{"gather"};
inline KernelTable<void(const Tensor&, int, const Tensor&, const Tensor&)> gather_backward_kernel{
    "gather backward"};

}  // namespace diagrad
