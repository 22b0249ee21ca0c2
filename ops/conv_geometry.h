#pragma once

#include <cstdint>

#include "diagrad/core/size2.h"

namespace diagrad {

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

}  // namespace diagrad
