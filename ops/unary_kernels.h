#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/unary_math.h"

namespace diagrad {

/// y = f(x).
inline KernelTable<void(UnaryFunction, double a, double b, const Tensor& x, const Tensor& y)>
    unary_kernel{"unary"};

/// dx = dy * f'(saved), `saved` being what the function's kSaves names; any tensor of that shape
/// where it is nothing.
inline KernelTable<void(UnaryFunction, double a, double b, const Tensor& saved, const Tensor& dy,
                        const Tensor& dx)>
    unary_backward_kernel{"unary backward"};

}  // namespace diagrad
