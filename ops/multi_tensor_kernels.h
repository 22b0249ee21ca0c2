#pragma once

#include <span>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/multi_tensor.h"

namespace diagrad {

// The lists are not empty, and their tensors are checked as multi_tensor.h says.

inline KernelTable<void(std::span<const SgdTensors>, const SgdHyperparameters&)>
    multi_tensor_sgd_kernel{"multi_tensor_sgd"};
inline KernelTable<void(std::span<const AdamwTensors>, const AdamwHyperparameters&)>
    multi_tensor_adamw_kernel{"multi_tensor_adamw"};
inline KernelTable<void(std::span<const LerpTensors>, double weight)> multi_tensor_lerp_kernel{
    "multi_tensor_lerp"};
inline KernelTable<double(std::span<const Tensor>)> sum_of_squares_kernel{"sum_of_squares"};

}  // namespace diagrad
