#pragma once

#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/bn_scale_add_relu.h"

namespace diagrad::nn {

struct BatchNormSpec {
  int64_t channels = 0;
  double epsilon = 1e-5;
  double momentum = 0.1;
};

/// Batch normalisation of the last axis, with batch statistics while training and running ones in
/// evaluation; weight 1 and bias 0 at first, names as in torchvision.
class BatchNorm2d : public Module {
 public:
  explicit BatchNorm2d(const BatchNormSpec& spec);
  /// With the weight and bias of another one, as handles of the same tensors, and running
  /// statistics of its own.
  BatchNorm2d(const BatchNormSpec& spec, const BatchNorm2d& affine);
  Tensor forward(const Tensor& x) override;
  /// relu(forward(x)) in one pass.
  Tensor forward_relu(const Tensor& x);
  /// forward_relu(conv(x)) for a convolution without bias.
  Tensor forward_relu(const Conv2d& conv, const Tensor& x);
  /// relu(forward(x) * s + residual) in two steps, the first of which gives what s may be made of:
  /// `pool` where the means of forward(x) are wanted (ops/bn_scale_add_relu.h).
  BnScaleAddRelu residual_epilogue(const Tensor& x, bool pool);
  /// The same of forward(conv(x)), for a convolution without bias.
  BnScaleAddRelu residual_epilogue(const Conv2d& conv, const Tensor& x, bool pool);
  /// forward(x) with its weight multiplied by factors s [B,C] of each image.
  Tensor forward_scaled(const Tensor& x, const Tensor& s);

 private:
  void add_tensors(const Tensor& weight, const Tensor& bias);

  BatchNormSpec spec_;
  Tensor weight_, bias_, running_mean_, running_var_;
};

}  // namespace diagrad::nn
