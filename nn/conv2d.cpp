#include "diagrad/nn/conv2d.h"

#include "diagrad/core/error.h"
#include "diagrad/nn/init.h"

namespace diagrad::nn {
namespace {

Tensor first_weight(const Conv2dSpec& spec, const Shape& shape, RandomStream& random) {
  const int64_t taps = spec.kernel.h * spec.kernel.w;
  switch (spec.init) {
    case ConvInit::zeros:
      return Tensor::zeros(shape);
    case ConvInit::fan_out_normal:
      return init::kaiming_normal(shape, taps * spec.out_channels, random);
    case ConvInit::fan_in_uniform:
      break;
  }
  return init::fan_in_uniform(shape, taps * shape[3], random);
}

Tensor first_bias(const Conv2dSpec& spec, int64_t fan_in, RandomStream& random) {
  if (spec.init == ConvInit::zeros) return Tensor::zeros({spec.out_channels});
  return init::fan_in_uniform({spec.out_channels}, fan_in, random);
}

}  // namespace

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
  const Shape shape{spec.out_channels, spec.kernel.h, spec.kernel.w, in};
  weight_ = add_parameter("weight", first_weight(spec, shape, random));
  if (spec.bias) {
    const int64_t fan_in = spec.kernel.h * spec.kernel.w * in;
    bias_ = add_parameter("bias", first_bias(spec, fan_in, random));
  }
}

Tensor Conv2d::forward(const Tensor& x) {
  return conv2d(x, weight_, bias_, options_);
}

Tensor Conv2d::forward(const GroupNormSilu& activations) const {
  return group_norm_silu_conv2d(activations, weight_, bias_, options_);
}

Convolution Conv2d::convolution() const {
  DG_CHECK(!bias_.defined(), "Conv2d: a convolution with a bias cannot begin another operation");
  return {weight_, options_};
}

}  // namespace diagrad::nn
