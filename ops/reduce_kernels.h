#pragma once

#include <vector>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// y[a,i] = sum over r of x[a,r,i], x contiguous and seen as [A,R,I].
inline KernelTable<void(const Tensor& x, int64_t outer, int64_t reduced, int64_t inner,
                        const Tensor& y)>
    sum_kernel{"sum"};

/// values[a] = the largest x[a,r], places[a] (i64) = the first such r; x contiguous [A,R].
inline KernelTable<void(const Tensor& x, int64_t outer, int64_t reduced, const Tensor& values,
                        const Tensor& places)>
    max_kernel{"max"};

/// The sum over `axes` (sorted), which are left out of the result; contiguous, not recorded.
Tensor sum_over(const Tensor& x, const std::vector<int>& axes);

}  // namespace diagrad
