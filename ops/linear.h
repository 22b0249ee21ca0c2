#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// y = x w^T + bias: x [...,I], w [O,I], bias [O] or undefined; y [...,O]. Saves x and w.
/// Throws when the last axis of x is not I, or for a bias or dtypes that do not fit.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

}  // namespace diagrad
