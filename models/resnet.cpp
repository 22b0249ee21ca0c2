#include "diagrad/models/resnet.h"

#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/nn/attention/plan.h"
#include "diagrad/nn/attention/residual_end.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/pool.h"

namespace diagrad::models {
namespace {

using nn::BatchNorm2d;
using nn::Conv2d;
using nn::Placement;
using nn::SiteAttention;

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

/// The shape of one block and its place in the net.
struct BlockShape {
  std::string stage;  ///< `layer1`
  std::string name;   ///< within it, `0`
  bool bottleneck;
  int64_t in, width, out, stride;
  Size2 size;  ///< (H, W) of the input

  Size2 size_out() const { return {(size.h - 1) / stride + 1, (size.w - 1) / stride + 1}; }
};

/// All blocks, in order of execution.
std::vector<BlockShape> block_shapes(const ResNetOptions& options, int64_t blocks) {
  std::vector<BlockShape> shapes;
  int64_t in = options.width;
  Size2 size = options.input;
  for (int stage = 0; stage < kStages; ++stage) {
    const int64_t width = options.width << stage;
    const int64_t out = options.bottleneck ? 4 * width : width;
    for (int64_t i = 0; i < blocks; ++i) {
      shapes.push_back({"layer" + std::to_string(stage + 1), std::to_string(i), options.bottleneck,
                        in, width, out, stage > 0 && i == 0 ? 2 : 1, size});
      in = out;
      size = shapes.back().size_out();
    }
  }
  return shapes;
}

/// What attention gets at each placement: the branch's result, or that of the second convolution,
/// which halves the image in bottlenecks, as the first one does in basic blocks.
nn::AttentionSite site_of(const BlockShape& shape) {
  const Size2 after = shape.size_out();
  const Size2 before = shape.bottleneck ? shape.size : after;
  const int64_t stride = shape.bottleneck ? shape.stride : 1;
  return {shape.stage + "." + shape.name,
          shape.stage,
          {{Placement::pre_add, shape.out, after, stride},
           {Placement::before_conv, shape.width, before, stride},
           {Placement::after_conv2, shape.width, after, stride},
           {Placement::in_norm, shape.out, after, stride},
           {Placement::replaces_conv, shape.width, before, stride}}};
}

nn::AttentionSites sites_of(const std::vector<BlockShape>& shapes) {
  nn::AttentionSites sites{.model = "resnet"};
  for (const BlockShape& shape : shapes) sites.sites.push_back(site_of(shape));
  return sites;
}

/// A residual block: a branch and a shortcut, which is projected where the shape changes.
class Block : public nn::Module {
 public:
  /// `attention` is that of the block's site.
  virtual Tensor run(const Tensor& x, const SiteAttention& attention) = 0;

 protected:
  void add_shortcut(const BlockShape& shape, Weights& weights) {
    if (shape.stride == 1 && shape.in == shape.out) return;
    downsample_ =
        add("downsample", std::make_shared<Projection>(shape.in, shape.out, shape.stride, weights));
  }

  /// The second convolution of the branch. Its first weights are drawn even where attention
  /// replaces it: those of all others stay the same.
  std::shared_ptr<Conv2d> add_conv2(int64_t in, int64_t out, int64_t stride, bool replaced,
                                    Weights& weights) {
    const auto made = conv(in, out, 3, stride, weights);
    return replaced ? nullptr : add("conv2", made);
  }

  Tensor shortcut(const Tensor& x) { return downsample_ ? downsample_->forward(x) : x; }

 private:
  std::shared_ptr<Projection> downsample_;
};

/// conv 3x3 -> bn -> relu -> conv 3x3 -> bn -> attention -> add -> relu.
class BasicBlock : public Block {
 public:
  BasicBlock(const BlockShape& shape, bool conv2_replaced, Weights& weights)
      : conv1_(add("conv1", conv(shape.in, shape.width, 3, shape.stride, weights))),
        bn1_(add("bn1", batch_norm_of(shape.width))),
        conv2_(add_conv2(shape.width, shape.out, 1, conv2_replaced, weights)),
        bn2_(add("bn2", batch_norm_of(shape.out))) {
    add_shortcut(shape, weights);
  }

  Tensor run(const Tensor& x, const SiteAttention& attention) override {
    Tensor y = bn1_->forward_relu(*conv1_, x);
    const Tensor residual = shortcut(x);
    y = nn::attended_conv(y, conv2_.get(), attention);
    return nn::residual_end(y, *bn2_, residual, attention);
  }

 private:
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::shared_ptr<Conv2d> conv2_;
  std::shared_ptr<BatchNorm2d> bn2_;
};

/// conv 1x1 -> bn -> relu -> conv 3x3 -> bn -> relu -> conv 1x1 -> bn -> attention -> add -> relu.
class Bottleneck : public Block {
 public:
  Bottleneck(const BlockShape& shape, bool conv2_replaced, Weights& weights)
      : conv1_(add("conv1", conv(shape.in, shape.width, 1, 1, weights))),
        bn1_(add("bn1", batch_norm_of(shape.width))),
        conv2_(add_conv2(shape.width, shape.width, shape.stride, conv2_replaced, weights)),
        bn2_(add("bn2", batch_norm_of(shape.width))),
        conv3_(add("conv3", conv(shape.width, shape.out, 1, 1, weights))),
        bn3_(add("bn3", batch_norm_of(shape.out))) {
    add_shortcut(shape, weights);
  }

  Tensor run(const Tensor& x, const SiteAttention& attention) override {
    Tensor y = bn1_->forward_relu(*conv1_, x);
    y = bn2_->forward_relu(nn::attended_conv(y, conv2_.get(), attention));
    return nn::residual_end(y, *conv3_, *bn3_, shortcut(x), attention);
  }

 private:
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::shared_ptr<Conv2d> conv2_;
  std::shared_ptr<BatchNorm2d> bn2_;
  std::shared_ptr<Conv2d> conv3_;
  std::shared_ptr<BatchNorm2d> bn3_;
};

std::shared_ptr<Block> make_block(const BlockShape& shape, bool conv2_replaced, Weights& weights) {
  if (shape.bottleneck) return std::make_shared<Bottleneck>(shape, conv2_replaced, weights);
  return std::make_shared<BasicBlock>(shape, conv2_replaced, weights);
}

class ResNet : public nn::Module {
 public:
  ResNet(const ResNetOptions& options, int64_t blocks)
      : checkpoint_blocks_(options.checkpoint_blocks) {
    // Attention draws from a stream of its own: nets that differ in it alone begin as equals.
    Weights weights{options.init, {options.seed, stream_id("weights")}};
    RandomStream attention_random(options.seed, stream_id("attention"));
    const std::vector<BlockShape> shapes = block_shapes(options, blocks);
    plan_ = nn::AttentionPlan(nn::AttentionFactory(options.attention, options.sharing),
                              sites_of(shapes), attention_random);
    conv1_ = add("conv1", conv(options.channels, options.width, 3, 1, weights));
    bn1_ = add("bn1", batch_norm_of(options.width));
    std::shared_ptr<nn::Module> stage;
    for (const BlockShape& shape : shapes) {
      if (shape.name == "0") stage = add(shape.stage, std::make_shared<nn::Module>());
      const bool conv2_replaced = plan_.placement() == Placement::replaces_conv;
      blocks_.push_back(stage->add_module(shape.name, make_block(shape, conv2_replaced, weights)));
    }
    plan_.attach(*this);
    const nn::LinearSpec classifier{shapes.back().out, options.classes};
    fc_ = add("fc", std::make_shared<nn::Linear>(classifier, weights.random));
  }

  Tensor forward(const Tensor& images) override {
    DG_CHECK(images.rank() == 4, "resnet: needs images [B,H,W,C], got shape {}", images.shape());
    nn::AttentionPass attention(plan_);
    Tensor x = bn1_->forward_relu(conv1_->forward(images));
    for (size_t i = 0; i < blocks_.size(); ++i) x = run_block(i, x, attention);
    return fc_->forward(global_avg_pool(x));
  }

 private:
  Tensor run_block(size_t i, const Tensor& x, nn::AttentionPass& pass) {
    if (!checkpoint_blocks_) return blocks_[i]->run(x, pass.at(i));
    return pass.checkpoint(x, [i, block = blocks_[i]](const Tensor& input, nn::AttentionPass& own) {
      return block->run(input, own.at(i));
    });
  }

  bool checkpoint_blocks_;
  nn::AttentionPlan plan_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::vector<std::shared_ptr<Block>> blocks_;
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
