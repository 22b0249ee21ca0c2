#include "diagrad/models/unet_block.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/pad.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/scaled_dot_product.h"
#include "diagrad/ops/transpose.h"
#include "diagrad/ops/upsample.h"

namespace diagrad::models {
namespace {

nn::Conv2dSpec conv3x3(int64_t in, int64_t out) {
  return {.in_channels = in, .out_channels = out, .kernel = 3, .padding = 1};
}

nn::Conv2dSpec last_conv3x3(int64_t channels) {
  nn::Conv2dSpec spec = conv3x3(channels, channels);
  spec.init = nn::ConvInit::zeros;
  return spec;
}

nn::Conv2dSpec halving_conv(int64_t channels, DownPadding padding) {
  nn::Conv2dSpec spec = conv3x3(channels, channels);
  spec.stride = 2;
  if (padding == DownPadding::asymmetric) spec.padding = 0;
  return spec;
}

nn::GroupNormSpec norm_of(int64_t channels, int64_t groups, double epsilon) {
  return {.groups = groups, .channels = channels, .epsilon = epsilon};
}

}  // namespace

UnetBlock::UnetBlock(const UnetBlockSpec& spec, RandomStream& random)
    : norm1_(add("norm1", nn::GroupNorm(norm_of(spec.in, spec.groups, spec.epsilon)))),
      conv1_(add("conv1", nn::Conv2d(conv3x3(spec.in, spec.out), random))),
      time_emb_proj_(add("time_emb_proj", nn::Linear({spec.time_width, spec.out}, random))),
      norm2_(add("norm2", nn::GroupNorm(norm_of(spec.out, spec.groups, spec.epsilon)))),
      dropout_(add("dropout", nn::Dropout({.p = spec.dropout}))),
      conv2_(add("conv2", nn::Conv2d(last_conv3x3(spec.out), random))) {
  if (spec.in == spec.out) return;
  conv_shortcut_ =
      add("conv_shortcut", nn::Conv2d({.in_channels = spec.in, .out_channels = spec.out}, random));
}

Tensor UnetBlock::run(const Tensor& x, const Tensor& time, const nn::SiteAttention& attention) {
  // Activations and the sum with the time are made again in backward, not kept.
  const Tensor first = conv1_->forward(norm1_->before_silu(x));
  const Tensor shift = time_emb_proj_->forward(time);
  Tensor h;
  if (dropout_->drops()) {
    const Tensor sum = diagrad::add(first, reshape(shift, {shift.size(0), 1, 1, shift.size(1)}));
    h = conv2_->forward(dropout_->forward(silu(norm2_->forward(sum))));
  } else {
    h = conv2_->forward(norm2_->before_silu(first, shift));
  }
  const Tensor shortcut = conv_shortcut_ ? conv_shortcut_->forward(x) : x;
  if (attention.is_at(nn::Placement::pre_add) && attention.form() == nn::Form::vector) {
    return channel_scale_add(h, attention.factors(h), shortcut);
  }
  return diagrad::add(shortcut, attention.apply_at(nn::Placement::pre_add, h));
}

UnetSelfAttention::UnetSelfAttention(const UnetSelfAttentionSpec& spec, RandomStream& random)
    : heads_(spec.heads) {
  const int64_t channels = spec.channels;
  DG_CHECK(spec.heads >= 1 && channels % spec.heads == 0,
           "unet: heads={} do not divide the {} channels of a level with self-attention",
           spec.heads, channels);
  group_norm_ = add("group_norm", nn::GroupNorm(norm_of(channels, spec.groups, spec.epsilon)));
  to_q_ = add("to_q", nn::Linear({channels, channels}, random));
  to_k_ = add("to_k", nn::Linear({channels, channels}, random));
  to_v_ = add("to_v", nn::Linear({channels, channels}, random));
  const nn::LinearSpec last{
      .in_features = channels, .out_features = channels, .init = nn::LinearInit::zeros};
  to_out_ = add("to_out", std::make_shared<nn::Module>())
                ->add_module("0", std::make_shared<nn::Linear>(last, random));
}

Tensor UnetSelfAttention::forward(const Tensor& x) {
  const int64_t batch = x.size(0);
  const int64_t pixels = x.size(1) * x.size(2);
  const int64_t channels = x.size(3);
  const Tensor tokens = reshape(group_norm_->forward(x), {batch, pixels, channels});
  const auto heads_of = [&](nn::Linear& projection) {
    const Tensor y = projection.forward(tokens);
    return transpose(reshape(y, {batch, pixels, heads_, channels / heads_}), 1, 2);
  };
  const Tensor y =
      scaled_dot_product_attention(heads_of(*to_q_), heads_of(*to_k_), heads_of(*to_v_));
  const Tensor merged = reshape(transpose(y, 1, 2), {batch, pixels, channels});
  return diagrad::add(x, reshape(to_out_->forward(merged), x.shape()));
}

UnetDownsample::UnetDownsample(int64_t channels, DownPadding padding, RandomStream& random)
    : padding_(padding), conv_(add("conv", nn::Conv2d(halving_conv(channels, padding), random))) {}

Tensor UnetDownsample::forward(const Tensor& x) {
  if (padding_ == DownPadding::symmetric) return conv_->forward(x);
  return conv_->forward(pad(x, {{0, 0}, {0, 1}, {0, 1}, {0, 0}}));
}

UnetUpsample::UnetUpsample(int64_t channels, RandomStream& random)
    : conv_(add("conv", nn::Conv2d(conv3x3(channels, channels), random))) {}

Tensor UnetUpsample::forward(const Tensor& x) {
  return conv_->forward(upsample_nearest(x, 2));
}

}  // namespace diagrad::models
