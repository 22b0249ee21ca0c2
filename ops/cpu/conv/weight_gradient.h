#pragma once

#include "diagrad/ops/cpu/conv/convolution.h"

namespace diagrad::kernels {

/// dw[o, r, s, c] = sum over images and output pixels of dy[pixel, o] * x[pixel's tap (r, s), c].
///
/// Rows of the product are output channels (broadcast from dy), its vectors run over the taps and
/// channels of a kernel row, which are contiguous in the padded image, so neither side is packed
/// and the result has the layout of the weights. Where the images have so few channels that vectors
/// would stay half empty, the two change places. The images are summed in a number of chunks that
/// depends on the shape alone, and the partial sums are added in chunk order.
template <typename T>
void direct_weight_gradient(const ConvGeometry& geometry, const T* x, const T* dy, T* dw);

/// The same for one filter per channel, in vectors of channels.
template <typename T>
void depthwise_weight_gradient(const ConvGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace diagrad::kernels
