#pragma once

#include <vector>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// y[a,i] = scale * sum over r of x[a,r,i], x contiguous and seen as [A,R,I]. Scaled before it is
/// rounded to the dtype of y, so that a mean does not overflow where its sum would.
inline KernelTable<void(const Tensor& x, int64_t outer, int64_t reduced, int64_t inner,
                        double scale, const Tensor& y)>
    sum_kernel{"sum"};

/// values[a] = the largest x[a,r], indices[a] (i64) = the first such r; x contiguous [A,R].
inline KernelTable<void(const Tensor& x, int64_t outer, int64_t reduced, const Tensor& values,
                        const Tensor& indices)>
    max_kernel{"max"};

/// dx[a,r] = dy[a] at r = indices[a], else 0; all contiguous, dx [A,R].
inline KernelTable<void(const Tensor& dy, const Tensor& indices, int64_t reduced, const Tensor& dx)>
    max_backward_kernel{"max backward"};

/// y[a] = sum over r of (x[a,r] - mean[a])^2 / divisor with mean[a] the mean over r, which is f64:
/// rounded to f32 it would add to the differences. x contiguous [A,R], R > 0.
inline KernelTable<void(const Tensor& x, int64_t outer, int64_t reduced, double divisor,
                        const Tensor& mean, const Tensor& y)>
    var_kernel{"var"};

/// dx[a,r] = dy[a] * 2 / divisor * (x[a,r] - mean[a]); all contiguous.
inline KernelTable<void(const Tensor& x, const Tensor& mean, const Tensor& dy, int64_t reduced,
                        double divisor, const Tensor& dx)>
    var_backward_kernel{"var backward"};

/// scale * the sum over `axes` (sorted), which are left out of the result; contiguous, not
/// recorded. Without axes it is a copy, and scale must be 1.
Tensor sum_over(const Tensor& x, const std::vector<int>& axes, double scale = 1.0);

}  // namespace diagrad
