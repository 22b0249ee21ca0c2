#include "diagrad/nn/conv2d.h"

#include "diagrad/core/error.h"
#include "diagrad/nn/init.h"

namespace diagrad::nn {

Conv2d::Conv2d(const Conv2dSpec& spec, RandomStream& random)
    : options_{.stride = spec.stride,
               .padding = spec.padding,
               .dilation = spec.dilation,
               .groups = spec.groups} {
  DG_CHECK(spec.in_channels > 0 && spec.out_channels > 0 && spec.groups > 0 &&
               spec.in_channels % spec.groups == 0 && spec.out_channels % spec.groups == 0,
           "Conv2d: {} to {} channels in {} groups; channels must be positive multiples of groups",
           spec.in_channels, spec.out_channels, spec.groups);
  const int64_t in = spec.in_channels / spec.groups;
  const int64_t taps = spec.kernel.h * spec.kernel.w;
  const Shape shape{spec.out_channels, spec.kernel.h, spec.kernel.w, in};
  weight_ =
      add_parameter("weight", spec.init == ConvInit::fan_in_uniform
                                  ? init::fan_in_uniform(shape, taps * in, random)
                                  : init::kaiming_normal(shape, taps * spec.out_channels, random));
  if (spec.bias) {
    bias_ = add_parameter("bias", init::fan_in_uniform({spec.out_channels}, taps * in, random));
  }
}

Tensor Conv2d::forward(const Tensor& x) {
  return conv2d(x, weight_, bias_, options_);
}

Convolution Conv2d::convolution() const {
  DG_CHECK(!bias_.defined(), "Conv2d: a convolution with a bias cannot begin another operation");
  return {weight_, options_};
}

}  // namespace diagrad::nn
