#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// x repeated to a larger shape without a copy (strides of 0): NumPy's rules, aligned right, axes
/// of size 1 stretch. dx = dy summed over the repeated axes. The only place where broadcasting
/// happens. Throws when x does not broadcast to `shape`.
Tensor expand(const Tensor& x, const Shape& shape);

}  // namespace diagrad
