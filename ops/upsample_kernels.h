#pragma once

#include <cstdint>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// (x, factor, y) and (dy, factor, dx); all contiguous.
inline KernelTable<void(const Tensor&, int64_t, const Tensor&)> upsample_nearest_kernel{
    "upsample_nearest"};
inline KernelTable<void(const Tensor&, int64_t, const Tensor&)> upsample_nearest_backward_kernel{
    "upsample_nearest backward"};

}  // namespace diagrad
