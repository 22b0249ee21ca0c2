#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

enum class Comparison { equal, greater, less };

/// y = condition ? a : b, all of one shape.
inline KernelTable<void(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y)>
    where_kernel{"where"};

/// y (u8) = a ? b, all of one shape.
inline KernelTable<void(Comparison, const Tensor& a, const Tensor& b, const Tensor& y)>
    compare_kernel{"compare"};

}  // namespace diagrad
