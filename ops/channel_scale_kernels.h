#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// y = x * s (+ residual, may be undefined), then relu where `relu`; all contiguous.
struct ChannelScaleForward {
  Tensor x, s, residual;
  bool relu;
  Tensor y;
};
inline KernelTable<void(const ChannelScaleForward&)> channel_scale_forward_kernel{"channel_scale"};

/// `y` is the result where relu was on top, else undefined: g = dy where y > 0. dx = g * s,
/// ds = sum g * x, dresidual = g; each undefined where it is not needed.
struct ChannelScaleBackward {
  Tensor x, s, y, dy;
  Tensor dx, ds, dresidual;
};
inline KernelTable<void(const ChannelScaleBackward&)> channel_scale_backward_kernel{
    "channel_scale backward"};

}  // namespace diagrad
