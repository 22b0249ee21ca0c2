#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Normalises each row, x [...,D] of rank >= 1:
///
///   y = gamma * (x - mean) / sqrt(var + epsilon) + beta
///
/// with mean and biased variance of the row. gamma, beta [D] may be undefined (1 and 0). Saves x,
/// gamma, mean and 1/sqrt(var + epsilon). Derivative: docs/notes/group_norm.md with one group per
/// row. Throws for shapes and dtypes that do not fit.
/// Source: Ba, Kiros, Hinton, "Layer normalization", 2016, equation 3.
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon = 1e-5);

/// linear(layer_norm(x, gamma, beta, epsilon), w, bias), to the bit, without keeping what lies
/// between: backward normalises x again. Saves x, gamma, beta, w, mean and 1/sqrt(var + epsilon).
/// Throws as both.
Tensor layer_norm_linear(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& w,
                         const Tensor& bias = {}, double epsilon = 1e-5);

}  // namespace diagrad
