#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// (dy [..., O], db [O]): sums over all axes but the last; both contiguous.
inline KernelTable<void(const Tensor&, const Tensor&)> bias_gradient_kernel{"bias backward"};

}  // namespace diagrad
