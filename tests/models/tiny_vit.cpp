#include "tests/models/tiny_vit.h"

#include <cmath>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/layer_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/concat.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"
#include "diagrad/ops/softmax.h"

namespace diagrad::testing {
namespace {

using nn::Linear;
using nn::Placement;
using nn::SiteAttention;

constexpr int64_t kWidth = 8;
constexpr int64_t kPatch = 2;
constexpr int64_t kGrid = 4;  ///< patches along each side of an image of 8x8
constexpr int kBlocks = 2;

/// softmax(q k^T / sqrt(D)) v, projected.
class SelfAttention : public nn::Module {
 public:
  explicit SelfAttention(RandomStream& random)
      : qkv_(add("qkv", Linear({kWidth, 3 * kWidth, false}, random))),
        proj_(add("proj", Linear({kWidth, kWidth}, random))) {}

  Tensor forward(const Tensor& x) override {
    const std::vector<Tensor> qkv = chunk(qkv_->forward(x), 3, 2);
    const Tensor scores = matmul(qkv[0], qkv[1], {.transpose_b = true});
    const Tensor weights = softmax(scores * (1.0 / std::sqrt(static_cast<double>(kWidth))), 2);
    return proj_->forward(matmul(weights, qkv[2]));
  }

 private:
  std::shared_ptr<Linear> qkv_, proj_;
};

class Mlp : public nn::Module {
 public:
  explicit Mlp(RandomStream& random)
      : fc1_(add("fc1", Linear({kWidth, 2 * kWidth}, random))),
        fc2_(add("fc2", Linear({2 * kWidth, kWidth}, random))) {}

  Tensor forward(const Tensor& x) override { return fc2_->forward(gelu(fc1_->forward(x))); }

 private:
  std::shared_ptr<Linear> fc1_, fc2_;
};

/// Tokens x [B,T,D]: x + attention(self-attention(norm(x))), then the same with the
/// feed-forward branch.
class Block : public nn::Module {
 public:
  explicit Block(RandomStream& random)
      : norm1_(add("norm1", nn::LayerNorm({.features = kWidth}))),
        attn_(add("attn", SelfAttention(random))),
        norm2_(add("norm2", nn::LayerNorm({.features = kWidth}))),
        mlp_(add("mlp", Mlp(random))) {}

  Tensor run(const Tensor& x, const SiteAttention& at_attn, const SiteAttention& at_mlp) {
    const Tensor y = diagrad::add(x, at_attn.apply_if_any(attn_->forward(norm1_->forward(x))));
    return diagrad::add(y, at_mlp.apply_if_any(mlp_->forward(norm2_->forward(y))));
  }

 private:
  std::shared_ptr<nn::LayerNorm> norm1_;
  std::shared_ptr<SelfAttention> attn_;
  std::shared_ptr<nn::LayerNorm> norm2_;
  std::shared_ptr<Mlp> mlp_;
};

nn::AttentionSites sites() {
  const auto input = [](Placement placement) {
    return nn::SiteInput{.placement = placement,
                         .channels = kWidth,
                         .size = kGrid,
                         .tokens = true,
                         .prefix_tokens = 1};
  };
  nn::AttentionSites result{.model = "tiny vit"};
  for (int i = 0; i < kBlocks; ++i) {
    const std::string path = "blocks." + std::to_string(i);
    result.sites.push_back(
        {path + ".attn", "blocks", {input(Placement::attn), input(Placement::both)}});
    result.sites.push_back(
        {path + ".mlp", "blocks", {input(Placement::ffn), input(Placement::both)}});
  }
  return result;
}

class TinyVit : public nn::Module {
 public:
  TinyVit(const nn::AttentionFactory& factory, int64_t classes, uint64_t seed) {
    RandomStream random(seed, stream_id("weights"));
    RandomStream attention_random(seed, stream_id("attention"));
    plan_ = nn::AttentionPlan(factory, sites(), attention_random);
    patch_embed_ = add(
        "patch_embed",
        nn::Conv2d({.in_channels = 3, .out_channels = kWidth, .kernel = kPatch, .stride = kPatch},
                   random));
    cls_token_ = add_parameter("cls_token", normal({1, 1, kWidth}, 0.0, 0.5, random));
    const auto list = add("blocks", std::make_shared<nn::Module>());
    for (int i = 0; i < kBlocks; ++i) {
      blocks_.push_back(list->add_module(std::to_string(i), std::make_shared<Block>(random)));
    }
    plan_.attach(*this);
    norm_ = add("norm", nn::LayerNorm({.features = kWidth}));
    head_ = add("head", Linear({kWidth, classes}, random));
  }

  Tensor forward(const Tensor& images) override {
    const Tensor patches = patch_embed_->forward(images);
    const int64_t batch = patches.size(0);
    const Tensor tokens = reshape(patches, {batch, patches.size(1) * patches.size(2), kWidth});
    Tensor x = concat(std::vector<Tensor>{expand(cls_token_, {batch, 1, kWidth}), tokens}, 1);
    nn::AttentionPass attention(plan_);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      x = blocks_[i]->run(x, attention.at(2 * i), attention.at(2 * i + 1));
    }
    const Tensor first = slice(norm_->forward(x), 1, 0, 1);
    return head_->forward(reshape(first, {batch, kWidth}));
  }

 private:
  nn::AttentionPlan plan_;
  std::shared_ptr<nn::Conv2d> patch_embed_;
  Tensor cls_token_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<nn::LayerNorm> norm_;
  std::shared_ptr<Linear> head_;
};

}  // namespace

std::shared_ptr<nn::Module> make_tiny_vit(const std::string& attention, const std::string& sharing,
                                          int64_t classes, uint64_t seed) {
  return std::make_shared<TinyVit>(nn::AttentionFactory(attention, sharing), classes, seed);
}

}  // namespace diagrad::testing
