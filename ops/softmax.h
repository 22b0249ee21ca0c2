#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// y = e^x / sum e^x along `axis` (counted from the end when negative), computed from x minus its
/// largest, so that nothing overflows. dx = y * (dy - sum dy * y). Saves y.
Tensor softmax(const Tensor& x, int axis);

/// y = x - log sum e^x along `axis`. dx = dy - e^y * sum dy. Saves y.
Tensor log_softmax(const Tensor& x, int axis);

}  // namespace diagrad
