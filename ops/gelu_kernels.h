#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/activation.h"

namespace diagrad {

/// dy *= gelu'(x) and, where y is defined, y = gelu(x); all contiguous.
inline KernelTable<void(GeluForm, const Tensor& x, const Tensor& dy, const Tensor& y)>
    gelu_backward_kernel{"gelu_linear backward"};

}  // namespace diagrad
