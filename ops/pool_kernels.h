#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// (x [B,...,C], y [B,C]); both contiguous.
inline KernelTable<void(const Tensor&, const Tensor&)> global_avg_pool_kernel{"global_avg_pool"};
/// (dy [B,C], dx [B,...,C]); both contiguous.
inline KernelTable<void(const Tensor&, const Tensor&)> global_avg_pool_backward_kernel{
    "global_avg_pool backward"};

}  // namespace diagrad
