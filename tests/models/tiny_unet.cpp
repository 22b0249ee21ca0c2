#include "tests/models/tiny_unet.h"

#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/group_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/concat.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/upsample.h"

namespace diagrad::testing {
namespace {

using nn::Conv2d;
using nn::Placement;

constexpr int64_t kNarrow = 4;
constexpr int64_t kWide = 8;
constexpr int64_t kImage = 8;

Conv2d conv3x3(int64_t in, int64_t out, int64_t stride, RandomStream& random) {
  return Conv2d(
      {.in_channels = in, .out_channels = out, .kernel = 3, .stride = stride, .padding = 1},
      random);
}

/// norm -> silu -> conv -> norm -> silu -> conv -> attention -> add.
class Block : public nn::Module {
 public:
  Block(int64_t channels, RandomStream& random)
      : norm1_(add("norm1", nn::GroupNorm({.groups = 2, .channels = channels}))),
        conv1_(add("conv1", conv3x3(channels, channels, 1, random))),
        norm2_(add("norm2", nn::GroupNorm({.groups = 2, .channels = channels}))),
        conv2_(add("conv2", conv3x3(channels, channels, 1, random))) {}

  Tensor run(const Tensor& x, const nn::SiteAttention& attention) {
    Tensor y = conv1_->forward(silu(norm1_->forward(x)));
    y = conv2_->forward(silu(norm2_->forward(y)));
    return diagrad::add(x, attention.apply_at(Placement::pre_add, y));
  }

 private:
  std::shared_ptr<nn::GroupNorm> norm1_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<nn::GroupNorm> norm2_;
  std::shared_ptr<Conv2d> conv2_;
};

nn::AttentionSite site(const std::string& level, int block, int64_t channels, int64_t size) {
  return {level + "." + std::to_string(block), level, {{Placement::pre_add, channels, size}}};
}

class TinyUnet : public nn::Module {
 public:
  TinyUnet(const nn::AttentionFactory& factory, int64_t classes, uint64_t seed) {
    RandomStream random(seed, stream_id("weights"));
    RandomStream attention_random(seed, stream_id("attention"));
    plan_ = nn::AttentionPlan(
        factory,
        {.model = "tiny unet",
         .sites = {site("down", 0, kNarrow, kImage), site("mid", 0, kWide, kImage / 2),
                   site("mid", 1, kWide, kImage / 2), site("up", 0, kNarrow, kImage)},
         .stateful_sharing = nn::Sharing::network},
        attention_random);
    conv_in_ = add("conv_in", conv3x3(3, kNarrow, 1, random));
    add_level("down", 1, kNarrow, random);
    downsample_ = add("downsample", conv3x3(kNarrow, kWide, 2, random));
    add_level("mid", 2, kWide, random);
    join_ = add("join", conv3x3(kWide + kNarrow, kNarrow, 1, random));
    add_level("up", 1, kNarrow, random);
    plan_.attach(*this);
    head_ = add("head", nn::Linear({kNarrow, classes}, random));
  }

  Tensor forward(const Tensor& images) override {
    nn::AttentionPass attention(plan_);
    const Tensor skip = blocks_[0]->run(conv_in_->forward(images), attention.at(0));
    Tensor x = downsample_->forward(skip);
    x = blocks_[1]->run(x, attention.at(1));
    x = blocks_[2]->run(x, attention.at(2));
    x = join_->forward(concat(std::vector<Tensor>{upsample_nearest(x, 2), skip}, 3));
    x = blocks_[3]->run(x, attention.at(3));
    return head_->forward(global_avg_pool(x));
  }

 private:
  void add_level(const std::string& name, int count, int64_t channels, RandomStream& random) {
    const auto level = add(name, std::make_shared<nn::Module>());
    for (int i = 0; i < count; ++i) {
      blocks_.push_back(
          level->add_module(std::to_string(i), std::make_shared<Block>(channels, random)));
    }
  }

  nn::AttentionPlan plan_;
  std::shared_ptr<Conv2d> conv_in_, downsample_, join_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<nn::Linear> head_;
};

}  // namespace

std::shared_ptr<nn::Module> make_tiny_unet(const std::string& attention, const std::string& sharing,
                                           int64_t classes, uint64_t seed) {
  return std::make_shared<TinyUnet>(nn::AttentionFactory(attention, sharing), classes, seed);
}

}  // namespace diagrad::testing
