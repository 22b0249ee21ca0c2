#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/train/update_math.h"

namespace diagrad::train {

/// All tensors contiguous, of one shape and floating dtype; the updates are in place.
/// (parameter, gradient, buffer; undefined without momentum)
inline KernelTable<void(const Tensor&, const Tensor&, const Tensor&, const SgdUpdate<double>&)>
    sgd_kernel{"sgd"};
/// (parameter, gradient, first moment, second moment)
inline KernelTable<void(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                        const AdamwUpdate<double>&)>
    adamw_kernel{"adamw"};
/// (x, target, weight): x += weight * (target - x)
inline KernelTable<void(const Tensor&, const Tensor&, double)> approach_kernel{"ema"};
/// (x, sum): sum = the sum of squares of x, in double.
inline KernelTable<void(const Tensor&, double&)> sum_of_squares_kernel{"gradient norm"};

}  // namespace diagrad::train
