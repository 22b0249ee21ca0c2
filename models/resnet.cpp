#include "diagrad/models/resnet.h"

#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/pool.h"

namespace diagrad::models {
namespace {

using nn::Attention;
using nn::BatchNorm2d;
using nn::Conv2d;
using nn::Placement;

constexpr int kStages = 3;

/// Where the first weights of convolutions come from.
struct Weights {
  nn::ConvInit init;
  RandomStream random;
};

std::shared_ptr<Conv2d> conv(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                             Weights& weights) {
  return std::make_shared<Conv2d>(nn::Conv2dSpec{.in_channels = in,
                                                 .out_channels = out,
                                                 .kernel = kernel,
                                                 .stride = stride,
                                                 .padding = kernel / 2,
                                                 .bias = false,
                                                 .init = weights.init},
                                  weights.random);
}

std::shared_ptr<BatchNorm2d> batch_norm_of(int64_t channels) {
  return std::make_shared<BatchNorm2d>(nn::BatchNormSpec{.channels = channels});
}

/// The projection of the shortcut, named 0 and 1 as torchvision's Sequential.
class Projection : public nn::Module {
 public:
  Projection(int64_t in, int64_t out, int64_t stride, Weights& weights)
      : conv_(add("0", conv(in, out, 1, stride, weights))), norm_(add("1", batch_norm_of(out))) {}
  Tensor forward(const Tensor& x) override { return norm_->forward(conv_->forward(x)); }

 private:
  std::shared_ptr<Conv2d> conv_;
  std::shared_ptr<BatchNorm2d> norm_;
};

struct BlockShape {
  int64_t in, width, out, stride;
  Size2 size;  ///< (H, W) of the input

  Size2 size_out() const { return {(size.h - 1) / stride + 1, (size.w - 1) / stride + 1}; }
};

/// How all blocks of one net are built.
struct BlockKind {
  bool bottleneck;
  Placement placement;
};

/// What a block's unit of attention sees.
struct Site {
  int64_t channels;
  Size2 size;
  int64_t stride;  ///< of the second convolution
};

Site site_of(const BlockShape& shape, const BlockKind& kind) {
  const int64_t stride = kind.bottleneck ? shape.stride : 1;
  switch (kind.placement) {
    case Placement::before_conv:
    case Placement::replaces_conv:
      return {shape.width, kind.bottleneck ? shape.size : shape.size_out(), stride};
    case Placement::after_conv2:
      return {shape.width, shape.size_out(), stride};
    case Placement::pre_add:
    case Placement::in_norm:
      break;
  }
  return {shape.out, shape.size_out(), stride};
}

/// Convolutions conv1, conv2, ... each followed by bn1, bn2, ...; all but the last with a ReLU.
class Block : public nn::Module {
 public:
  Block(const BlockShape& shape, const BlockKind& kind, Weights& weights)
      : placement_(kind.placement) {
    const int64_t in = shape.in;
    const int64_t width = shape.width;
    if (kind.bottleneck) {
      append(in, width, 1, 1, weights);
      append(width, width, 3, shape.stride, weights);
      append(width, shape.out, 1, 1, weights);
    } else {
      append(in, width, 3, shape.stride, weights);
      append(width, shape.out, 3, 1, weights);
    }
    if (shape.stride != 1 || in != shape.out) {
      shortcut_ =
          add("downsample", std::make_shared<Projection>(in, shape.out, shape.stride, weights));
    }
  }

  /// The unit that serves this block alone.
  void own_attention(std::shared_ptr<Attention> unit) {
    attention_ = add("attention", std::move(unit));
  }
  const std::shared_ptr<Attention>& attention() const { return attention_; }

  Tensor run(const Tensor& x, Attention& unit, nn::State& state) {
    const size_t last = norms_.size() - 1;
    Tensor y = x;
    for (size_t i = 0; i < last; ++i) y = inner_layer(i, y, unit, state);
    const Tensor residual = shortcut_ ? shortcut_->forward(x) : x;
    nn::BatchNorm2d& norm = *norms_[last];
    if (placement_ == Placement::pre_add) {
      return unit.end_block(*convs_[last], norm, y, residual, state);
    }
    y = last == 1 ? second_convolution(y, unit, state) : convs_[last]->forward(y);
    if (placement_ != Placement::in_norm) return norm.join(y, false).add_relu(residual);
    return relu(diagrad::add(norm.forward_scaled(y, unit.factors(y, state)), residual));
  }

 private:
  void append(int64_t in, int64_t out, int64_t kernel, int64_t stride, Weights& weights) {
    const std::string number = std::to_string(convs_.size() + 1);
    const bool replaced = convs_.size() == 1 && placement_ == Placement::replaces_conv;
    auto made = conv(in, out, kernel, stride, weights);
    convs_.push_back(replaced ? nullptr : add("conv" + number, made));
    norms_.push_back(add("bn" + number, batch_norm_of(out)));
  }

  /// A convolution with its normalisation and ReLU.
  Tensor inner_layer(size_t i, const Tensor& x, Attention& unit, nn::State& state) {
    if (i == 1) return norms_[i]->forward_relu(second_convolution(x, unit, state));
    return norms_[i]->forward_relu(*convs_[i], x);
  }

  Tensor second_convolution(const Tensor& x, Attention& unit, nn::State& state) {
    if (placement_ == Placement::replaces_conv) return unit.apply(x, state);
    if (placement_ == Placement::before_conv) return convs_[1]->forward(unit.apply(x, state));
    const Tensor y = convs_[1]->forward(x);
    return placement_ == Placement::after_conv2 ? unit.apply(y, state) : y;
  }

  Placement placement_;
  std::vector<std::shared_ptr<Conv2d>> convs_;
  std::vector<std::shared_ptr<BatchNorm2d>> norms_;
  std::shared_ptr<Projection> shortcut_;
  std::shared_ptr<Attention> attention_;
};

class Stage : public nn::Module {
 public:
  Stage(const BlockShape& first, int64_t count, const BlockKind& kind, Weights& weights) {
    BlockShape shape = first;
    for (int64_t i = 0; i < count; ++i) {
      blocks_.push_back(add(std::to_string(i), std::make_shared<Block>(shape, kind, weights)));
      sites_.push_back(site_of(shape, kind));
      shape.in = shape.out;
      shape.size = shape.size_out();
      shape.stride = 1;
    }
  }

  /// Gives the stage its units; `path` is its own name.
  void place_attention(const std::string& path, const nn::AttentionFactory& factory,
                       RandomStream& random) {
    if (factory.sharing() != nn::Sharing::block) {
      // Every stage of this net has a width of its own, so network and stage are the same units.
      attention_ = add("attention", factory(unit_of(0, sites_.size()), random));
      attention_->set_unit_name(path + ".attention");
      return;
    }
    for (size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i]->own_attention(factory(unit_of(i, i + 1), random));
      blocks_[i]->attention()->set_unit_name(path + "." + std::to_string(i) + ".attention");
    }
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    nn::State shared;
    for (const auto& block : blocks_) {
      nn::State own;
      y = attention_ ? block->run(y, *attention_, shared) : block->run(y, *block->attention(), own);
    }
    return y;
  }

 private:
  /// A unit for the sites from `first` to before `end`; all of a stage have the same channels.
  nn::UnitSpec unit_of(size_t first, size_t end) const {
    nn::UnitSpec unit{.channels = sites_[first].channels,
                      .calls = static_cast<int64_t>(end - first)};
    for (size_t i = first; i < end; ++i) {
      unit.sizes.push_back(sites_[i].size);
      unit.strides.emplace_back(sites_[i].stride);
    }
    return unit;
  }

  std::vector<std::shared_ptr<Block>> blocks_;
  std::vector<Site> sites_;
  std::shared_ptr<Attention> attention_;
};

class ResNet : public nn::Module {
 public:
  ResNet(const ResNetOptions& options, int64_t blocks) {
    // Attention draws from a stream of its own: nets that differ in it alone begin as equals.
    Weights weights{options.init, {options.seed, stream_id("weights")}};
    RandomStream attention_random(options.seed, stream_id("attention"));
    const nn::AttentionFactory factory(options.attention, options.sharing);
    const BlockKind kind{options.bottleneck, factory.placement()};
    conv1_ = add("conv1", conv(options.channels, options.width, 3, 1, weights));
    bn1_ = add("bn1", batch_norm_of(options.width));
    int64_t in = options.width;
    Size2 size = options.input;
    for (int stage = 0; stage < kStages; ++stage) {
      const int64_t width = options.width << stage;
      const std::string path = "layer" + std::to_string(stage + 1);
      const BlockShape shape{in, width, options.bottleneck ? 4 * width : width, stage == 0 ? 1 : 2,
                             size};
      stages_.push_back(add(path, std::make_shared<Stage>(shape, blocks, kind, weights)));
      stages_.back()->place_attention(path, factory, attention_random);
      in = shape.out;
      size = shape.size_out();
    }
    fc_ = add("fc",
              std::make_shared<nn::Linear>(nn::LinearSpec{in, options.classes}, weights.random));
  }

  Tensor forward(const Tensor& images) override {
    DG_CHECK(images.rank() == 4, "resnet: needs images [B,H,W,C], got shape {}", images.shape());
    Tensor x = bn1_->forward_relu(conv1_->forward(images));
    for (const auto& stage : stages_) x = stage->forward(x);
    return fc_->forward(global_avg_pool(x));
  }

 private:
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::vector<std::shared_ptr<Stage>> stages_;
  std::shared_ptr<nn::Linear> fc_;
};

}  // namespace

std::shared_ptr<nn::Module> make_resnet(const ResNetOptions& options) {
  const int64_t step = options.bottleneck ? 9 : 6;
  const int64_t blocks = (options.depth - 2) / step;
  DG_CHECK(blocks >= 1 && options.depth == step * blocks + 2,
           "resnet: depth {} is not {}n + 2 ({} blocks); use {} or {}", options.depth, step,
           options.bottleneck ? "bottleneck" : "basic", step * std::max<int64_t>(blocks, 1) + 2,
           step * (std::max<int64_t>(blocks, 1) + 1) + 2);
  DG_CHECK(options.width >= 1 && options.width <= 4096 && options.classes >= 1,
           "resnet: width {} and {} classes; width must lie in [1, 4096], classes be positive",
           options.width, options.classes);
  return std::make_shared<ResNet>(options, blocks);
}

}  // namespace diagrad::models
