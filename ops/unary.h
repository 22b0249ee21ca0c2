#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Functions of one variable, element by element, x of any shape, f32 or f64. Each saves x or its
/// result, whichever its derivative is shorter in; neg and affine save nothing.

Tensor neg(const Tensor& x);   ///< -x
Tensor exp(const Tensor& x);   ///< e^x, dx = dy y
Tensor log(const Tensor& x);   ///< natural logarithm, dx = dy / x
Tensor sqrt(const Tensor& x);  ///< dx = dy / (2 y)
Tensor abs(const Tensor& x);   ///< dx = dy sign(x), 0 at 0
/// x^exponent, dx = dy exponent x^(exponent - 1).
Tensor pow(const Tensor& x, double exponent);
/// x limited to [low, high]; NaN stays. dx = dy inside and on the bounds, else 0. Throws unless
/// low <= high.
Tensor clamp(const Tensor& x, double low, double high);
/// scale * x + shift, dx = scale dy.
Tensor affine(const Tensor& x, double scale, double shift);

}  // namespace diagrad
