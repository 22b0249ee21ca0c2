#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/binary_math.h"

namespace diagrad {

/// y = f(a, b), all of one shape, any strides.
inline KernelTable<void(BinaryFunction, const Tensor& a, const Tensor& b, const Tensor& y)>
    binary_kernel{"binary"};

}  // namespace diagrad
