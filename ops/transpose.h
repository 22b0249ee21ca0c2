#pragma once

#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Two axes exchanged; a view. Saves nothing.
Tensor transpose(const Tensor& x, int a, int b);
/// Axis i of the result is axis axes[i] of x; a view. Throws unless `axes` names each axis once.
Tensor permute(const Tensor& x, const std::vector<int>& axes);

}  // namespace diagrad
