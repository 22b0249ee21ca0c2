#include "diagrad/nn/batch_norm2d.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"

namespace diagrad::nn {
namespace {

BatchNormOptions options_of(const BatchNormSpec& spec, bool training) {
  return {.training = training, .momentum = spec.momentum, .epsilon = spec.epsilon};
}

}  // namespace

BatchNorm2d::BatchNorm2d(const BatchNormSpec& spec) : spec_(spec) {
  DG_CHECK(spec.channels > 0, "BatchNorm2d: {} channels; must be positive", spec.channels);
  add_tensors(Tensor::ones({spec.channels}), Tensor::zeros({spec.channels}));
}

BatchNorm2d::BatchNorm2d(const BatchNormSpec& spec, const BatchNorm2d& affine) : spec_(spec) {
  DG_CHECK(spec.channels == affine.spec_.channels,
           "BatchNorm2d: {} channels cannot share the weight and bias of {}", spec.channels,
           affine.spec_.channels);
  add_tensors(affine.weight_, affine.bias_);
}

void BatchNorm2d::add_tensors(const Tensor& weight, const Tensor& bias) {
  weight_ = add_parameter("weight", weight);
  bias_ = add_parameter("bias", bias);
  running_mean_ = add_buffer("running_mean", Tensor::zeros({spec_.channels}));
  running_var_ = add_buffer("running_var", Tensor::ones({spec_.channels}));
}

Tensor BatchNorm2d::forward(const Tensor& x) {
  return batch_norm(x, weight_, bias_, running_mean_, running_var_,
                    options_of(spec_, is_training()));
}

BnScaleAddRelu BatchNorm2d::residual_epilogue(const Tensor& x, bool pool) {
  return {x, weight_, bias_, running_mean_, running_var_, options_of(spec_, is_training()), pool};
}

BnScaleAddRelu BatchNorm2d::residual_epilogue(const Conv2d& conv, const Tensor& x, bool pool) {
  return {x,
          conv.convolution(),
          weight_,
          bias_,
          running_mean_,
          running_var_,
          options_of(spec_, is_training()),
          pool};
}

Tensor BatchNorm2d::forward_scaled(const Tensor& x, const Tensor& s) {
  const Tensor normalised =
      batch_norm(x, weight_, {}, running_mean_, running_var_, options_of(spec_, is_training()));
  return diagrad::add(channel_scale(normalised, s), bias_);
}

Tensor BatchNorm2d::forward_relu(const Tensor& x) {
  return batch_norm_relu(x, weight_, bias_, running_mean_, running_var_,
                         options_of(spec_, is_training()));
}

Tensor BatchNorm2d::forward_relu(const Conv2d& conv, const Tensor& x) {
  return conv_batch_norm_relu(x, conv.convolution(), weight_, bias_, running_mean_, running_var_,
                              options_of(spec_, is_training()));
}

}  // namespace diagrad::nn
