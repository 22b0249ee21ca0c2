#pragma once

#include "diagrad/ops/cpu/conv/convolution.h"

namespace diagrad::kernels {

// Convolution and its input gradient, summed directly by direct_conv: what convolution.h takes in
// MathMode::exact where the convolution is not pointwise. The bits of an image's results depend on
// that image alone, not on the batch.

template <typename T>
void direct_convolve(const ConvGeometry& geometry, const T* x, const T* w, const T* bias, T* y);

/// Adds to the values of dx where `accumulate`.
template <typename T>
void direct_input_gradient(const ConvGeometry& geometry, const T* dy, const T* w, T* dx,
                           bool accumulate = false);

}  // namespace diagrad::kernels
