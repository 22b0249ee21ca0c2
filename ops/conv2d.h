#pragma once

#include <cstdint>

#include "diagrad/core/size2.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

struct Conv2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;  ///< zeros on both sides
  Size2 dilation = 1;
  int64_t groups = 1;
};

/// Convolution (cross-correlation) of channels-last images, x [B,H,W,C], w [O,kh,kw,C/groups],
/// bias [O] or undefined:
///
///   y[b,i,j,o] = bias[o] + sum over r, s, c of
///                x[b, i*stride.h - padding.h + r*dilation.h, j*stride.w - ..., c] * w[o,r,s,c]
///
/// with zeros outside the image and c over the channels of o's group; y [B,H',W',O] with
/// H' = (H + 2 padding - dilation (kh - 1) - 1) / stride + 1, rounded down. Saves x and w.
///
/// f32 in MathMode::fast: 3x3 kernels with stride and dilation 1 may be computed by tiles, within
/// 120 * 2^-23 * (max|x| of the tile's 6x6 pixels * sum|w| + |bias|) of the exact result; gradients
/// as docs/api.md says. Tiles with a value that is not finite, f64 and MathMode::exact are summed
/// directly.
///
/// Throws for ranks, dtypes, channel counts and groups that do not fit, and for a kernel larger
/// than the padded image.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias,
              const Conv2dOptions& options = {});
Tensor conv2d(const Tensor& x, const Tensor& w, const Conv2dOptions& options = {});

}  // namespace diagrad
