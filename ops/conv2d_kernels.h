#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/conv_geometry.h"

namespace diagrad {

// All tensors are contiguous and of the geometry's sizes; conv1d uses these with a height of 1.

/// (geometry, x, w, bias or undefined, y)
inline KernelTable<void(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&,
                        const Tensor&)>
    conv_forward_kernel{"conv2d"};
/// (geometry, dy, w, dx, whether to add to what dx holds)
inline KernelTable<void(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&, bool)>
    conv_input_gradient_kernel{"conv2d backward"};
/// (geometry, x, dy, dw)
inline KernelTable<void(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&)>
    conv_weight_gradient_kernel{"conv2d backward"};

}  // namespace diagrad
