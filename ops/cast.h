#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// x converted to another dtype; dx = dy converted back. Between floating-point types only: an
/// integer result carries no gradient (use Tensor::to). Saves nothing.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace diagrad
