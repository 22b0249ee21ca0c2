#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// One factor per image and channel, x [B,...,C] of rank >= 2, s [B,C]:
///
///   y[b,...,c] = x[b,...,c] * s[b,c]
///
/// dx = dy * s,  ds[b,c] = sum over the positions of dy * x. Saves x and s. Throws for shapes and
/// dtypes that do not fit.
Tensor channel_scale(const Tensor& x, const Tensor& s);

/// x * s + residual in one pass; residual has the shape of x and gets dy.
Tensor channel_scale_add(const Tensor& x, const Tensor& s, const Tensor& residual);

/// relu(x * s + residual) in one pass: the end of a residual block with channel attention. Saves
/// its result too, whose sign is the mask of the derivative.
Tensor channel_scale_add_relu(const Tensor& x, const Tensor& s, const Tensor& residual);

}  // namespace diagrad
