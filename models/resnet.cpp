#include "diagrad/models/resnet.h"

#include <map>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/pool.h"

namespace diagrad::models {
namespace {

using nn::Attention;
using nn::BatchNorm2d;
using nn::Conv2d;

constexpr int kStages = 3;

std::shared_ptr<Conv2d> conv(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                             RandomStream& random) {
  return std::make_shared<Conv2d>(nn::Conv2dSpec{.in_channels = in,
                                                 .out_channels = out,
                                                 .kernel = kernel,
                                                 .stride = stride,
                                                 .padding = kernel / 2,
                                                 .bias = false,
                                                 .init = nn::ConvInit::fan_out_normal},
                                  random);
}

std::shared_ptr<BatchNorm2d> batch_norm_of(int64_t channels) {
  return std::make_shared<BatchNorm2d>(nn::BatchNormSpec{.channels = channels});
}

/// The projection of the shortcut, named 0 and 1 as torchvision's Sequential.
class Projection : public nn::Module {
 public:
  Projection(int64_t in, int64_t out, int64_t stride, RandomStream& random)
      : conv_(add("0", conv(in, out, 1, stride, random))), norm_(add("1", batch_norm_of(out))) {}
  Tensor forward(const Tensor& x) override { return norm_->forward(conv_->forward(x)); }

 private:
  std::shared_ptr<Conv2d> conv_;
  std::shared_ptr<BatchNorm2d> norm_;
};

struct BlockShape {
  int64_t in, width, out, stride;
};

/// Convolutions conv1, conv2, ... each followed by bn1, bn2, ...; all but the last with a ReLU.
class Block : public nn::Module {
 public:
  Block(const BlockShape& shape, bool bottleneck, RandomStream& random) {
    const auto& [in, width, out, stride] = shape;
    if (bottleneck) {
      append(conv(in, width, 1, 1, random), width);
      append(conv(width, width, 3, stride, random), width);
      append(conv(width, out, 1, 1, random), out);
    } else {
      append(conv(in, width, 3, stride, random), width);
      append(conv(width, out, 3, 1, random), out);
    }
    if (stride != 1 || in != out) {
      shortcut_ = add("downsample", std::make_shared<Projection>(in, out, stride, random));
    }
  }

  /// The unit that serves this block alone.
  void own_attention(std::shared_ptr<Attention> unit) {
    attention_ = add("attention", std::move(unit));
  }
  const std::shared_ptr<Attention>& attention() const { return attention_; }

  Tensor forward(const Tensor& x, Attention& unit, nn::State& state) {
    Tensor branch = x;
    for (size_t i = 0; i + 1 < convs_.size(); ++i) {
      branch = norms_[i]->forward_relu(convs_[i]->forward(branch));
    }
    branch = norms_.back()->forward(convs_.back()->forward(branch));
    return unit.apply_add_relu(branch, shortcut_ ? shortcut_->forward(x) : x, state);
  }

 private:
  void append(const std::shared_ptr<Conv2d>& convolution, int64_t channels) {
    const std::string number = std::to_string(convs_.size() + 1);
    convs_.push_back(add("conv" + number, convolution));
    norms_.push_back(add("bn" + number, batch_norm_of(channels)));
  }

  std::vector<std::shared_ptr<Conv2d>> convs_;
  std::vector<std::shared_ptr<BatchNorm2d>> norms_;
  std::shared_ptr<Projection> shortcut_;
  std::shared_ptr<Attention> attention_;
};

class Stage : public nn::Module {
 public:
  Stage(const BlockShape& first, int64_t count, bool bottleneck, RandomStream& random) {
    BlockShape shape = first;
    for (int64_t i = 0; i < count; ++i) {
      blocks_.push_back(add(std::to_string(i), std::make_shared<Block>(shape, bottleneck, random)));
      shape.in = shape.out;
      shape.stride = 1;
    }
  }

  /// Gives the stage its units; `path` is its own name.
  void place_attention(const std::string& path, const nn::AttentionFactory& factory,
                       int64_t channels, RandomStream& random) {
    const auto count = static_cast<int64_t>(blocks_.size());
    if (factory.sharing() != nn::Sharing::block) {
      // Every stage of this net has a width of its own, so network and stage are the same units.
      attention_ = add("attention", factory({.channels = channels, .calls = count}, random));
      attention_->set_unit_name(path + ".attention");
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      Block& block = *blocks_[static_cast<size_t>(i)];
      block.own_attention(factory({.channels = channels, .calls = 1}, random));
      block.attention()->set_unit_name(path + "." + std::to_string(i) + ".attention");
    }
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    nn::State shared;
    for (const auto& block : blocks_) {
      nn::State own;
      y = attention_ ? block->forward(y, *attention_, shared)
                     : block->forward(y, *block->attention(), own);
    }
    return y;
  }

 private:
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<Attention> attention_;
};

class ResNet : public nn::Module {
 public:
  ResNet(const ResNetOptions& options, int64_t blocks) {
    RandomStream random(options.seed, stream_id("weights"));
    const nn::AttentionFactory factory(options.attention, options.sharing);
    const int64_t expansion = options.bottleneck ? 4 : 1;
    conv1_ = add("conv1", conv(options.channels, options.width, 3, 1, random));
    bn1_ = add("bn1", batch_norm_of(options.width));
    int64_t in = options.width;
    for (int stage = 0; stage < kStages; ++stage) {
      const int64_t width = options.width << stage;
      const std::string path = "layer" + std::to_string(stage + 1);
      const BlockShape shape{in, width, width * expansion, stage == 0 ? 1 : 2};
      stages_.push_back(
          add(path, std::make_shared<Stage>(shape, blocks, options.bottleneck, random)));
      in = shape.out;
      stages_.back()->place_attention(path, factory, in, random);
    }
    fc_ = add("fc", std::make_shared<nn::Linear>(nn::LinearOptions{in, options.classes}, random));
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
