#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/pool_math.h"

namespace diagrad {

/// (geometry, x, y, indices): indices, i32 of the shape of y, is the place h * W + w of each
/// largest value in its image; undefined where not needed. All contiguous.
inline KernelTable<void(const PoolGeometry&, const Tensor&, const Tensor&, const Tensor&)>
    max_pool2d_kernel{"max_pool2d"};
/// (geometry, dy, indices, dx).
inline KernelTable<void(const PoolGeometry&, const Tensor&, const Tensor&, const Tensor&)>
    max_pool2d_backward_kernel{"max_pool2d backward"};

/// (geometry, x, y) and (geometry, dy, dx).
inline KernelTable<void(const PoolGeometry&, const Tensor&, const Tensor&)> avg_pool2d_kernel{
    "avg_pool2d"};
inline KernelTable<void(const PoolGeometry&, const Tensor&, const Tensor&)>
    avg_pool2d_backward_kernel{"avg_pool2d backward"};

/// (x [B,...,C], y [B,C]); both contiguous.
inline KernelTable<void(const Tensor&, const Tensor&)> global_avg_pool_kernel{"global_avg_pool"};
/// (dy [B,C], positions, share [B,C]): dy / positions, what each position gets.
inline KernelTable<void(const Tensor&, int64_t, const Tensor&)> global_avg_pool_backward_kernel{
    "global_avg_pool backward"};

}  // namespace diagrad
