#pragma once

#include "diagrad/core/tensor.h"
#include "diagrad/ops/activation.h"

namespace diagrad {

/// y = x w^T + bias: x [...,I], w [O,I], bias [O] or undefined; y [...,O]. Saves x and w.
/// Throws when the last axis of x is not I, or for a bias or dtypes that do not fit.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

/// linear(gelu(x), w, bias), or of gelu_tanh(x), which are not kept: saves x and w, and backward
/// computes gelu(x) and its derivative together. Throws as linear.
Tensor gelu_linear(const Tensor& x, const Tensor& w, const Tensor& bias = {},
                   GeluForm form = GeluForm::exact);

}  // namespace diagrad
