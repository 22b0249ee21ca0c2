#pragma once

#include <span>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/multi_tensor_math.h"

namespace diagrad::train {

/// The tensors of one parameter: contiguous, of one shape and floating dtype; the updates are in
/// place. Kernels take those of all parameters at once and walk them as if they lay end to end, so
/// that many small ones cost no more than one large one.
struct SgdTensors {
  Tensor parameter, gradient, buffer;  ///< no buffer without momentum
};
inline KernelTable<void(std::span<const SgdTensors>, const SgdUpdate<double>&)> sgd_kernel{"sgd"};

struct AdamwTensors {
  Tensor parameter, gradient, first_moment, second_moment;
};
inline KernelTable<void(std::span<const AdamwTensors>, const AdamwUpdate<double>&)> adamw_kernel{
    "adamw"};

struct LerpTensors {
  Tensor x, target;
};
/// x += weight * (target - x).
inline KernelTable<void(std::span<const LerpTensors>, double weight)> lerp_kernel{"ema"};

/// (tensors, sum): the sum of squares of all their elements, in double.
inline KernelTable<void(std::span<const Tensor>, double&)> sum_of_squares_kernel{"gradient norm"};

}  // namespace diagrad::train
