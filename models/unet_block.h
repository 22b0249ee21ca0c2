#pragma once

#include <cstdint>
#include <memory>

#include "diagrad/core/random.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/group_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/module.h"

/// The parts of models/unet.h. Names and formulas are those of diffusers' UNet2DModel.
namespace diagrad::models {

struct UnetBlockSpec {
  int64_t in = 0;          ///< channels
  int64_t out = 0;         ///< channels
  int64_t time_width = 0;  ///< E
  int64_t groups = 1;      ///< of both normalisations
  double epsilon = 1e-5;
  double dropout = 0.0;  ///< before the second convolution
};

/// A residual block, x [B,H,W,in] to [B,H,W,out], time [B,E]:
///
///   h = conv1(silu(norm1(x))) + time_emb_proj(time)
///   y = shortcut(x) + attention(conv2(dropout(silu(norm2(h)))))
///
/// with 3x3 convolutions, the bias of the time equal for all pixels, and a 1x1 convolution as the
/// shortcut where the channels change. conv2 is 0 at first.
class UnetBlock : public nn::Module {
 public:
  UnetBlock(const UnetBlockSpec& spec, RandomStream& random);
  Tensor run(const Tensor& x, const Tensor& time, const nn::SiteAttention& attention);

 private:
  std::shared_ptr<nn::GroupNorm> norm1_;
  std::shared_ptr<nn::Conv2d> conv1_;
  std::shared_ptr<nn::Linear> time_emb_proj_;
  std::shared_ptr<nn::GroupNorm> norm2_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::Conv2d> conv2_;
  std::shared_ptr<nn::Conv2d> conv_shortcut_;  ///< may be null
};

struct UnetSelfAttentionSpec {
  int64_t channels = 0;  ///< C
  int64_t heads = 1;     ///< that divide C
  int64_t groups = 1;
  double epsilon = 1e-5;
};

/// Self-attention over the pixels of an image, x [B,H,W,C]: with n = group_norm(x), in each head of
/// d = C / heads channels
///
///   y = x + to_out(softmax(to_q(n) to_k(n)^T / sqrt(d)) to_v(n))
///
/// (ops/scaled_dot_product.h). The bias of to_k moves all scores of a query alike, so that its
/// gradient is zero. to_out is 0 at first.
class UnetSelfAttention : public nn::Module {
 public:
  UnetSelfAttention(const UnetSelfAttentionSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& x) override;

 private:
  int64_t heads_;
  std::shared_ptr<nn::GroupNorm> group_norm_;
  std::shared_ptr<nn::Linear> to_q_, to_k_, to_v_, to_out_;
};

enum class DownPadding {
  symmetric,   ///< a pixel of zeros around the image
  asymmetric,  ///< behind its last row and column alone
};

/// Half the size by a 3x3 convolution of stride 2, for images of even sizes.
class UnetDownsample : public nn::Module {
 public:
  UnetDownsample(int64_t channels, DownPadding padding, RandomStream& random);
  Tensor forward(const Tensor& x) override;

 private:
  DownPadding padding_;
  std::shared_ptr<nn::Conv2d> conv_;
};

/// Twice the size: each pixel four times, then a 3x3 convolution.
class UnetUpsample : public nn::Module {
 public:
  UnetUpsample(int64_t channels, RandomStream& random);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Conv2d> conv_;
};

}  // namespace diagrad::models
