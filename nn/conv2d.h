#pragma once

#include "diagrad/core/random.h"
#include "diagrad/core/size2.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/conv_batch_norm.h"
#include "diagrad/ops/group_norm.h"

namespace diagrad::nn {

enum class ConvInit {
  fan_in_uniform,  ///< PyTorch's default
  fan_out_normal,  ///< N(0, 2 / (kh kw O)): He's, by outputs; CIFAR ResNets
  zeros,           ///< the bias too: last layers of residual branches
};

struct Conv2dSpec {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Size2 kernel = 1;
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  ConvInit init = ConvInit::fan_in_uniform;
};

/// Convolution of images [B,H,W,I] to [B,H',W',O]; weight [O,kh,kw,I/groups], bias [O].
class Conv2d : public Module {
 public:
  Conv2d(const Conv2dSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& x) override;
  /// Of activations that are not kept.
  Tensor forward(const GroupNormSilu& activations) const;
  /// For an operation that begins with it. Throws where there is a bias.
  Convolution convolution() const;

 private:
  Conv2dOptions options_;
  Tensor weight_;
  Tensor bias_;
};

}  // namespace diagrad::nn
