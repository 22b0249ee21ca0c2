#include "diagrad/models/unet.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/models/unet_levels.h"
#include "diagrad/nn/embedding.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/concat.h"

namespace diagrad::models {
namespace {

using nn::Conv2d;
using nn::Placement;
using Path = UnetLevel::Path;

constexpr int64_t kTimeWidth = 4;  ///< of the time embedding, over base
constexpr size_t kMostLevels = 16;

nn::AttentionSites sites_of(const std::vector<UnetLevel>& shapes) {
  nn::AttentionSites sites{.model = "unet", .stateful_sharing = kUnetStatefulSharing};
  for (const UnetLevel& shape : shapes) {
    for (size_t i = 0; i < shape.in.size(); ++i) {
      sites.sites.push_back({fmt::format("{}.resnets.{}", shape.name, i),
                             shape.name,
                             {{Placement::pre_add, shape.width, shape.size}}});
    }
  }
  return sites;
}

/// A block and the self-attention behind it, which may be null.
struct Layer {
  std::shared_ptr<UnetBlock> block;
  std::shared_ptr<UnetSelfAttention> self_attention;
};

struct Level {
  Path path;
  std::vector<Layer> layers = {};
  std::shared_ptr<nn::Module> resample = {};  ///< to the next level; null at the end of a path
};

/// UnetOptions::groups, or its default.
int64_t groups_of(const UnetOptions& options) {
  if (options.groups > 0) return options.groups;
  return options.base >= 64 ? 32 : std::max<int64_t>(options.base / 4, 1);
}

class Unet : public nn::Module {
 public:
  explicit Unet(const UnetOptions& options);
  Tensor forward(const Tensor& image) override { return call({.image = image}); }
  Tensor call(const nn::Inputs& inputs) override;
  int64_t class_count() const override { return options_.classes; }

 private:
  Level make_level(const UnetLevel& shape, nn::Module& owner, RandomStream& random) const;
  void check(const nn::Inputs& inputs) const;
  /// What the blocks read of time and class, [B,4 base].
  Tensor time_of(const nn::Inputs& inputs) const;
  /// Rows of the table of classes, i64 [B].
  Tensor class_rows(const nn::Inputs& inputs) const;
  /// `inputs`: x, the time, and on the way up the skip.
  Tensor run_layer(const Layer& layer, size_t site, const std::vector<Tensor>& inputs,
                   nn::AttentionPass& pass) const;

  UnetOptions options_;
  nn::AttentionPlan plan_;
  std::shared_ptr<Conv2d> conv_in_;
  std::shared_ptr<nn::TimeEmbedding> time_embedding_;
  std::shared_ptr<nn::Embedding> class_embedding_;  ///< null without classes
  std::vector<Level> levels_;                       ///< in order of execution
  std::shared_ptr<nn::GroupNorm> conv_norm_out_;
  std::shared_ptr<Conv2d> conv_out_;
};

Unet::Unet(const UnetOptions& options) : options_(options) {
  options_.groups = groups_of(options);
  // Attention draws from a stream of its own: nets that differ in it alone begin as equals.
  RandomStream random(options.seed, stream_id("weights"));
  RandomStream attention_random(options.seed, stream_id("attention"));
  const std::vector<UnetLevel> shapes = unet_levels(options);
  plan_ = nn::AttentionPlan(nn::AttentionFactory(options.attention, options.sharing),
                            sites_of(shapes), attention_random);
  const int64_t base = options.base;
  conv_in_ =
      add("conv_in",
          Conv2d({.in_channels = options.channels, .out_channels = base, .kernel = 3, .padding = 1},
                 random));
  time_embedding_ = add("time_embedding", nn::TimeEmbedding({base, kTimeWidth * base}, random));
  if (options.classes > 0) {
    class_embedding_ =
        add("class_embedding", nn::Embedding({options.classes + 1, kTimeWidth * base}, random));
  }
  const auto down = add("down_blocks", std::make_shared<nn::Module>());
  const auto mid = add("mid_block", std::make_shared<nn::Module>());
  const auto up = add("up_blocks", std::make_shared<nn::Module>());
  for (const UnetLevel& shape : shapes) {
    std::shared_ptr<nn::Module> owner = mid;
    if (shape.path != Path::mid) {
      const std::string number = shape.name.substr(shape.name.rfind('.') + 1);
      const auto& list = shape.path == Path::down ? down : up;
      owner = list->add_module(number, std::make_shared<nn::Module>());
    }
    levels_.push_back(make_level(shape, *owner, random));
  }
  plan_.attach(*this);
  conv_norm_out_ =
      add("conv_norm_out",
          nn::GroupNorm({.groups = options_.groups, .channels = base, .epsilon = options.epsilon}));
  conv_out_ = add("conv_out", Conv2d({.in_channels = base,
                                      .out_channels = options.channels,
                                      .kernel = 3,
                                      .padding = 1,
                                      .init = nn::ConvInit::zeros},
                                     random));
}

Level Unet::make_level(const UnetLevel& shape, nn::Module& owner, RandomStream& random) const {
  Level level{shape.path};
  const auto resnets = owner.add_module("resnets", std::make_shared<nn::Module>());
  const auto attentions = shape.attentions > 0
                              ? owner.add_module("attentions", std::make_shared<nn::Module>())
                              : nullptr;
  for (size_t i = 0; i < shape.in.size(); ++i) {
    const UnetBlockSpec spec{.in = shape.in[i],
                             .out = shape.width,
                             .time_width = kTimeWidth * options_.base,
                             .groups = options_.groups,
                             .epsilon = options_.epsilon,
                             .dropout = options_.dropout};
    Layer& layer = level.layers.emplace_back();
    layer.block = resnets->add_module(std::to_string(i), std::make_shared<UnetBlock>(spec, random));
    if (static_cast<int64_t>(i) >= shape.attentions) continue;
    const UnetSelfAttentionSpec self{.channels = shape.width,
                                     .heads = options_.heads,
                                     .groups = options_.groups,
                                     .epsilon = options_.epsilon};
    layer.self_attention = attentions->add_module(
        std::to_string(i), std::make_shared<UnetSelfAttention>(self, random));
  }
  if (!shape.resamples) return level;
  const bool down = shape.path == Path::down;
  if (down) {
    level.resample = std::make_shared<UnetDownsample>(shape.width, options_.down_padding, random);
  } else {
    level.resample = std::make_shared<UnetUpsample>(shape.width, random);
  }
  owner.add_module(down ? "downsamplers" : "upsamplers", std::make_shared<nn::Module>())
      ->add_module("0", level.resample);
  return level;
}

Tensor Unet::call(const nn::Inputs& inputs) {
  check(inputs);
  nn::AttentionPass pass(plan_);
  const Tensor time = time_of(inputs);
  Tensor x = conv_in_->forward(inputs.image);
  std::vector<Tensor> skips = {x};
  size_t site = 0;
  for (const Level& level : levels_) {
    for (const Layer& layer : level.layers) {
      std::vector<Tensor> layer_inputs = {x, time};
      if (level.path == Path::up) {
        layer_inputs.push_back(skips.back());
        skips.pop_back();
      }
      x = run_layer(layer, site++, layer_inputs, pass);
      if (level.path == Path::down) skips.push_back(x);
    }
    if (!level.resample) continue;
    x = level.resample->forward(x);
    if (level.path == Path::down) skips.push_back(x);
  }
  return conv_out_->forward(conv_norm_out_->before_silu(x));
}

Tensor Unet::run_layer(const Layer& layer, size_t site, const std::vector<Tensor>& inputs,
                       nn::AttentionPass& pass) const {
  const auto run = [layer, site](std::span<const Tensor> given, nn::AttentionPass& own) {
    const Tensor x =
        given.size() == 3 ? concat(std::vector<Tensor>{given[0], given[2]}, 3) : given[0];
    const Tensor y = layer.block->run(x, given[1], own.at(site));
    return layer.self_attention ? layer.self_attention->forward(y) : y;
  };
  return options_.checkpoint_blocks ? pass.checkpoint(inputs, run) : run(inputs, pass);
}

void Unet::check(const nn::Inputs& inputs) const {
  const Tensor& image = inputs.image;
  DG_CHECK(image.rank() == 4 && image.size(3) == options_.channels,
           "unet: needs images [B,H,W,{}], got shape {}", options_.channels, image.shape());
  check_unet_size({image.size(1), image.size(2)}, options_.mult.size());
  const Tensor& time = inputs.time;
  DG_CHECK(time.defined(), "unet: needs a time [B] beside the images {}, got none", image.shape());
  DG_CHECK(time.shape() == Shape{image.size(0)} && is_floating(time.dtype()),
           "unet: needs a time for each image, floating point [{}], got {} {}", image.size(0),
           time.dtype(), time.shape());
  const Tensor& label = inputs.class_label;
  if (!label.defined()) return;
  DG_CHECK(class_embedding_ != nullptr,
           "unet: got classes, but is unconditional; make it with --model-opt classes=N");
  DG_CHECK(label.shape() == time.shape() && label.dtype() == DType::i64,
           "unet: needs a class for each image, i64 {}, got {} {}", time.shape(), label.dtype(),
           label.shape());
}

Tensor Unet::time_of(const nn::Inputs& inputs) const {
  const nn::TimeFeaturesSpec spec{.width = options_.base,
                                  .order = options_.time_order,
                                  .frequency_shift = options_.frequency_shift};
  const Tensor times = inputs.time.to(inputs.image.dtype());
  Tensor embedding = time_embedding_->forward(nn::time_features(times, spec));
  if (class_embedding_) {
    embedding = diagrad::add(embedding, class_embedding_->forward(class_rows(inputs)));
  }
  // Every block reads silu of it: computed once.
  return silu(embedding);
}

Tensor Unet::class_rows(const nn::Inputs& inputs) const {
  const int64_t none = options_.classes;
  Tensor rows = Tensor::full({inputs.time.size(0)}, static_cast<double>(none), DType::i64);
  if (!inputs.class_label.defined()) return rows;
  const Tensor labels = inputs.class_label.contiguous();
  for (int64_t b = 0; b < labels.numel(); ++b) {
    const int64_t label = labels.data<int64_t>()[b];
    DG_CHECK(label == nn::kNoClass || (label >= 0 && label <= none),
             "unet: class {} of image {} is outside [0, {}); {} and {} mean no class", label, b,
             none, nn::kNoClass, none);
    if (label != nn::kNoClass) rows.data<int64_t>()[b] = label;
  }
  return rows;
}

}  // namespace

std::shared_ptr<nn::Module> make_unet(const UnetOptions& options) {
  DG_CHECK(
      options.base >= 4 && options.blocks >= 1 && options.channels >= 1 && options.classes >= 0,
      "unet: base={}, blocks={}, {} channels, classes={}; base must be at least 4, blocks "
      "and channels at least 1, classes not negative",
      options.base, options.blocks, options.channels, options.classes);
  DG_CHECK(!options.mult.empty() && options.mult.size() <= kMostLevels &&
               *std::min_element(options.mult.begin(), options.mult.end()) >= 1,
           "unet: mult={} must be 1 to {} positive numbers, one for each level",
           fmt::join(options.mult, "+"), kMostLevels);
  check_unet_size(options.input, options.mult.size());
  check_unet_attn(options);
  const int64_t groups = groups_of(options);
  DG_CHECK(options.base % groups == 0,
           "unet: {} groups do not divide base={}; choose others by groups=N", groups,
           options.base);
  return std::make_shared<Unet>(options);
}

}  // namespace diagrad::models
