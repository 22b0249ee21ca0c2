#include "diagrad/models/vit.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/encoder_block.h"
#include "diagrad/nn/init.h"
#include "diagrad/nn/patch_dropout.h"
#include "diagrad/nn/patch_embed.h"
#include "diagrad/nn/positions.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/concat.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/slice.h"

namespace diagrad::models {
namespace {

using nn::Placement;

constexpr double kEpsilon = 1e-6;
constexpr double kClassTokenDeviation = 1e-6;

std::string path_of(int64_t block) {
  return "blocks." + std::to_string(block);
}

/// Two in each block: behind self-attention and behind the feed-forward branch, whose end is the
/// default.
nn::AttentionSites sites_of(const VitOptions& options, Size2 grid) {
  const auto input = [&](Placement placement) {
    return nn::SiteInput{.placement = placement,
                         .channels = options.dim,
                         .size = grid,
                         .tokens = true,
                         .prefix_tokens = options.class_token ? 1 : 0};
  };
  nn::AttentionSites result{.model = "vit"};
  for (int64_t i = 0; i < options.depth; ++i) {
    result.sites.push_back(
        {path_of(i) + ".attn", "", {input(Placement::attn), input(Placement::both)}});
    result.sites.push_back(
        {path_of(i) + ".mlp", "", {input(Placement::ffn), input(Placement::both)}});
  }
  return result;
}

/// Of block i: from 0 in the first to `options.drop_path` in the last.
double drop_path_of(const VitOptions& options, int64_t i) {
  if (options.depth == 1) return 0.0;
  return options.drop_path * static_cast<double>(i) / static_cast<double>(options.depth - 1);
}

nn::EncoderBlockSpec block_spec(const VitOptions& options, int64_t i) {
  const double hidden = static_cast<double>(options.dim) * options.mlp_ratio;
  return {.width = options.dim,
          .heads = options.heads,
          .hidden = static_cast<int64_t>(hidden),
          .qkv_bias = options.qkv_bias,
          .gelu = options.gelu,
          .epsilon = kEpsilon,
          .layer_scale = options.layer_scale,
          .dropout = options.dropout,
          .attention_dropout = options.attention_dropout,
          .drop_path = drop_path_of(options, i)};
}

class Vit : public nn::Module {
 public:
  explicit Vit(const VitOptions& options);
  Tensor forward(const Tensor& images) override;
  /// Resamples positions of another grid.
  void adapt_positions(Tensor& positions, GivenState& given) const;

 private:
  int64_t prefix() const { return options_.class_token ? 1 : 0; }
  Tensor run_block(size_t i, const Tensor& x, nn::AttentionPass& pass) const;
  Tensor with_class_token(const Tensor& patches) const;
  /// [1,T,D], for images of a grid of patches.
  Tensor positions(Size2 grid, DType dtype) const;
  /// What the classifier reads, [B,D].
  Tensor pooled(const Tensor& x) const;

  VitOptions options_;
  Size2 grid_;
  nn::AttentionPlan plan_;
  Tensor cls_token_, pos_embed_;
  std::shared_ptr<nn::PatchEmbed> patch_embed_;
  std::shared_ptr<nn::Dropout> pos_drop_;
  std::shared_ptr<nn::PatchDropout> patch_drop_;
  std::vector<std::shared_ptr<nn::EncoderBlock>> blocks_;
  std::shared_ptr<nn::LayerNorm> norm_;
  std::shared_ptr<nn::Linear> head_;
};

Vit::Vit(const VitOptions& options)
    : options_(options), grid_(nn::patch_grid("vit", options.input, options.patch)) {
  // Attention draws from a stream of its own: nets that differ in it alone begin as equals.
  RandomStream random(options.seed, stream_id("weights"));
  RandomStream attention_random(options.seed, stream_id("attention"));
  plan_ = nn::AttentionPlan(nn::AttentionFactory(options.attention, options.sharing),
                            sites_of(options, grid_), attention_random);
  if (options.class_token) {
    cls_token_ =
        add_parameter("cls_token", normal({1, 1, options.dim}, 0.0, kClassTokenDeviation, random));
  }
  if (options.positions == Positions::learned) {
    const Shape shape{1, prefix() + grid_.h * grid_.w, options.dim};
    pos_embed_ = add_parameter("pos_embed", nn::init::transformer_normal(shape, random));
  }
  patch_embed_ = add(
      "patch_embed",
      nn::PatchEmbed({.patch = options.patch, .channels = options.channels, .width = options.dim},
                     random));
  pos_drop_ = add("pos_drop", nn::Dropout({.p = options.dropout}));
  patch_drop_ =
      add("patch_drop", nn::PatchDropout({.p = options.patch_drop, .prefix_tokens = prefix()}));
  const auto list = add("blocks", std::make_shared<nn::Module>());
  for (int64_t i = 0; i < options.depth; ++i) {
    const auto block = std::make_shared<nn::EncoderBlock>(block_spec(options, i), random);
    blocks_.push_back(list->add_module(std::to_string(i), block));
  }
  plan_.attach(*this);
  const bool averages = options.pool == TokenPool::average;
  norm_ = add(averages ? "fc_norm" : "norm",
              nn::LayerNorm({.features = options.dim, .epsilon = kEpsilon}));
  head_ = add("head", nn::Linear({.in_features = options.dim,
                                  .out_features = options.classes,
                                  .init = nn::LinearInit::truncated_normal},
                                 random));
}

Tensor Vit::forward(const Tensor& images) {
  const Tensor patches = patch_embed_->forward(images);
  const Size2 grid{images.size(1) / options_.patch, images.size(2) / options_.patch};
  Tensor x = diagrad::add(with_class_token(patches), positions(grid, patches.dtype()));
  x = patch_drop_->forward(pos_drop_->forward(x));
  nn::AttentionPass attention(plan_);
  for (size_t i = 0; i < blocks_.size(); ++i) x = run_block(i, x, attention);
  return head_->forward(norm_->forward(pooled(x)));
}

Tensor Vit::run_block(size_t i, const Tensor& x, nn::AttentionPass& pass) const {
  const auto run = [i, block = blocks_[i]](const Tensor& input, nn::AttentionPass& own) {
    const auto end_of = [&](size_t site) {
      return [at = own.at(site)](const Tensor& branch) { return at.apply_if_any(branch); };
    };
    return block->run(input, end_of(2 * i), end_of(2 * i + 1));
  };
  return options_.checkpoint_blocks ? pass.checkpoint(x, run) : run(x, pass);
}

Tensor Vit::with_class_token(const Tensor& patches) const {
  if (!options_.class_token) return patches;
  const Tensor token = expand(cls_token_, {patches.size(0), 1, options_.dim});
  return concat(std::vector<Tensor>{token, patches}, 1);
}

Tensor Vit::positions(Size2 grid, DType dtype) const {
  if (options_.positions == Positions::sinusoidal) {
    return nn::sinusoidal_positions(prefix(), grid, options_.dim).to(dtype);
  }
  return nn::resample_positions(pos_embed_, prefix(), grid_, grid);
}

Tensor Vit::pooled(const Tensor& x) const {
  if (options_.pool == TokenPool::average) {
    return global_avg_pool(slice(x, 1, prefix(), x.size(1)));
  }
  return squeeze(slice(x, 1, 0, 1), 1);
}

/// "14x14"
Size2 parse_grid(const std::string& text) {
  const size_t end = text.find('x');
  if (end == std::string::npos) {
    fail(ErrorKind::usage, "init: grid={} is no height x width, such as 14x14", text);
  }
  return {parse_int("init: grid", text.substr(0, end)),
          parse_int("init: grid", text.substr(end + 1))};
}

/// What the positions of `patches` patches out of a file are laid out as.
Size2 grid_of(int64_t patches, int64_t patch, const GivenState& given) {
  const std::string& text = given.options.get_text("grid");
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
  const Size2 grid = !text.empty() ? parse_grid(text)
                     : given.input.rank() == 3
                         ? Size2{given.input[0] / patch, given.input[1] / patch}
                         : Size2{side};
  if (grid.h < 1 || patches % grid.h != 0 || patches / grid.h != grid.w) {
    fail(ErrorKind::usage,
         "init: {} positions are no grid of {}x{} patches; name theirs, FILE:grid=HxW", patches,
         grid.h, grid.w);
  }
  return grid;
}

void Vit::adapt_positions(Tensor& positions, GivenState& given) const {
  if (!pos_embed_.defined() || positions.rank() != 3 || positions.size(1) <= prefix()) return;
  const Size2 from = grid_of(positions.size(1) - prefix(), options_.patch, given);
  if (from == grid_) return;
  positions = nn::resample_positions(positions.to(DType::f32), prefix(), from, grid_);
  given.notes.push_back(fmt::format("positions resampled from {}x{} to {}x{} patches", from.h,
                                    from.w, grid_.h, grid_.w));
}

}  // namespace

std::shared_ptr<nn::Module> make_vit(const VitOptions& options) {
  DG_CHECK(options.dim >= 1 && options.depth >= 1 && options.classes >= 1,
           "vit: width {}, {} blocks, {} classes; all must be positive", options.dim, options.depth,
           options.classes);
  DG_CHECK(options.heads >= 1 && options.dim % options.heads == 0,
           "vit: heads={} do not divide dim={}", options.heads, options.dim);
  DG_CHECK(static_cast<double>(options.dim) * options.mlp_ratio >= 1.0,
           "vit: mlp-ratio={} of dim={} leaves no hidden unit", options.mlp_ratio, options.dim);
  DG_CHECK(options.positions == Positions::learned || options.dim % 4 == 0,
           "vit: sinusoidal positions need a dim that is a multiple of 4, got dim={}", options.dim);
  DG_CHECK(options.class_token || options.pool != TokenPool::class_token,
           "vit: pool=class needs a class token, but class-token=false; use pool=avg");
  return std::make_shared<Vit>(options);
}

void adapt_vit(GivenState& given, const nn::Module& vit) {
  const auto found = given.tensors.find("pos_embed");
  const auto* model = dynamic_cast<const Vit*>(&vit);
  DG_CHECK(model != nullptr, "adapt_vit: the model is no vision transformer of make_vit");
  if (found != given.tensors.end()) model->adapt_positions(found->second, given);
}

}  // namespace diagrad::models
