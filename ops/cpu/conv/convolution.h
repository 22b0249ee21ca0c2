#pragma once

#include "diagrad/ops/conv_geometry.h"

namespace diagrad::kernels {

// The three products of a convolution over contiguous float or double arrays; each fills its
// result. They choose an algorithm by shape; results do not depend on the number of threads.
//
// Error in f32: sums that are computed directly (always in MathMode::exact) are within
// epsilon * 8 * (4 + sqrt(n)) of the largest result, n the length of the sum, as every operation's.
// In MathMode::fast some 3x3 convolutions take Winograd's path, at the error stated in winograd.h.
// Results in f64 are always direct.

/// y = x * w (+ bias, one value per output channel, may be null).
template <typename T>
void convolve(const ConvGeometry& geometry, const T* x, const T* w, const T* bias, T* y);

/// Adds to the values of dx where `accumulate`.
template <typename T>
void convolve_input_gradient(const ConvGeometry& geometry, const T* dy, const T* w, T* dx,
                             bool accumulate = false);

template <typename T>
void convolve_weight_gradient(const ConvGeometry& geometry, const T* x, const T* dy, T* dw);

}  // namespace diagrad::kernels
