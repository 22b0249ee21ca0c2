#pragma once

#include <span>
#include <vector>

#include "diagrad/autograd/checkpoint.h"

namespace diagrad::nn {

/// autograd::checkpoint for a function of modules: run again, its random layers draw the same
/// masks, from where the RandomScope stood.
std::vector<Tensor> checkpoint(const autograd::CheckpointFunction& function,
                               std::span<const Tensor> inputs);

}  // namespace diagrad::nn
