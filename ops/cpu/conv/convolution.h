#pragma once

#include <cstdint>

#include "diagrad/core/size2.h"

namespace diagrad::kernels {

/// Sizes of a convolution of images [B,H,W,C] with weights [O,kh,kw,C/groups].
struct ConvGeometry {
  int64_t batch = 0;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t groups = 1;
  Size2 input = 0;
  Size2 output = 0;
  Size2 kernel = 1;
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 dilation = 1;

  int64_t group_inputs() const { return in_channels / groups; }
  int64_t group_outputs() const { return out_channels / groups; }
  int64_t taps() const { return kernel.h * kernel.w; }
  int64_t in_pixels() const { return batch * input.h * input.w; }
  int64_t out_pixels() const { return batch * output.h * output.w; }
  /// A convolution that sees every pixel alone is a matrix product.
  bool is_pointwise() const {
    return taps() == 1 && groups == 1 && stride == Size2(1) && padding == Size2(0);
  }
  /// One filter per channel: nothing is summed over channels.
  bool is_depthwise() const {
    return groups > 1 && groups == in_channels && groups == out_channels;
  }
};

// The three products of a convolution over contiguous float or double arrays; each fills its
// result. They choose an algorithm by shape; results do not depend on the number of threads.
//
// Error in f32: sums that are computed directly (always in MathMode::exact) are within
// epsilon * 8 * (4 + sqrt(n)) of the largest result, n the length of the sum, as every operation's.
// In MathMode::fast some 3x3 convolutions take Winograd's path (winograd.h): below 1e-5 of the
// result's RMS. Results in f64 are always direct.

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
