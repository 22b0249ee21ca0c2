#include "diagrad/core/error.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/vit.h"

namespace diagrad::models {
namespace {

/// Every size, with those of a preset as the defaults.
std::vector<Option> options_of(const VitOptions& preset) {
  return {
      int_option("patch", preset.patch, 1, 1024, "side of a patch in pixels"),
      int_option("dim", preset.dim, 1, 65536, "width of a token"),
      int_option("depth", preset.depth, 1, 1000, "blocks"),
      int_option("heads", preset.heads, 1, 65536, "of self-attention; they divide dim"),
      float_option("mlp-ratio", preset.mlp_ratio, 0.0, 64.0,
                   "hidden width of the feed-forward branch over dim"),
      bool_option("qkv-bias", preset.qkv_bias, "biases of queries, keys and values"),
      bool_option("class-token", preset.class_token, "a learned token in front of the patches"),
      choice_option("pool", {"class", "avg"},
                    "what is classified: the class token or the mean of the patches"),
      choice_option("positions", {"learned", "sinusoidal"}, "what is added to the tokens"),
      choice_option("gelu", {"exact", "tanh"}, "form of the activation"),
      float_option("drop-path", 0.0, 0.0, 1.0, "stochastic depth of the last block, the first 0"),
      float_option("layer-scale", 0.0, 0.0, 1000.0, "first factors of the branches; 0: none"),
      float_option("patch-drop", 0.0, 0.0, 0.99, "share of the patches that training leaves out"),
      float_option("dropout", 0.0, 0.0, 1.0, "behind the positions and in each branch"),
      float_option("attention-dropout", 0.0, 0.0, 1.0, "on the weights of self-attention"),
  };
}

std::shared_ptr<nn::Module> make(const ModelSpec& spec, const OptionValues& options) {
  DG_CHECK(spec.input.rank() == 3, "vit: needs images [H,W,C], got shape {}", spec.input);
  return make_vit(
      {.patch = options.get_int("patch"),
       .dim = options.get_int("dim"),
       .depth = options.get_int("depth"),
       .heads = options.get_int("heads"),
       .mlp_ratio = options.get_float("mlp-ratio"),
       .qkv_bias = options.get_bool("qkv-bias"),
       .class_token = options.get_bool("class-token"),
       .pool = options.get_choice("pool") == "avg" ? TokenPool::average : TokenPool::class_token,
       .positions = options.get_choice("positions") == "learned" ? Positions::learned
                                                                 : Positions::sinusoidal,
       .gelu = options.get_choice("gelu") == "exact" ? GeluForm::exact : GeluForm::tanh,
       .drop_path = options.get_float("drop-path"),
       .layer_scale = options.get_float("layer-scale"),
       .patch_drop = options.get_float("patch-drop"),
       .dropout = options.get_float("dropout"),
       .attention_dropout = options.get_float("attention-dropout"),
       .channels = spec.input[2],
       .input = {spec.input[0], spec.input[1]},
       .classes = spec.classes,
       .attention = spec.attention,
       .sharing = spec.sharing,
       .checkpoint_blocks = spec.checkpoint_blocks,
       .seed = spec.seed});
}

/// "65 tokens of width 192 (8x8 patches and a class token), 12 heads of 16".
std::string sizes(const ModelSpec& spec, const OptionValues& options) {
  const int64_t rows = spec.input[0] / options.get_int("patch");
  const int64_t columns = spec.input[1] / options.get_int("patch");
  const bool class_token = options.get_bool("class-token");
  return fmt::format("{} tokens of width {} ({}x{} patches{}), {} heads of {}",
                     rows * columns + (class_token ? 1 : 0), options.get_int("dim"), rows, columns,
                     class_token ? " and a class token" : "", options.get_int("heads"),
                     options.get_int("dim") / options.get_int("heads"));
}

/// What a model does where images are not of the size that it was made for.
std::string at_other_sizes(const OptionValues& options) {
  return options.get_choice("positions") == "learned" ? "its positions are interpolated" : "";
}

/// Norms, biases, factors of LayerScale, positions and tokens, as timm.
std::vector<std::string> no_decay(const OptionValues& options) {
  std::vector<std::string> patterns = {"1d"};
  if (options.get_choice("positions") == "learned") patterns.push_back("pos_embed");
  if (options.get_bool("class-token")) patterns.push_back("cls_token");
  return patterns;
}

bool register_vit(const std::string& name, const std::string& help, const Shape& input,
                  const VitOptions& preset) {
  return register_model(
      {.name = name,
       .help = help,
       .options = options_of(preset),
       .can_checkpoint = true,
       .no_decay = no_decay,
       .input = input,
       .sizes = sizes,
       .at_other_sizes = at_other_sizes,
       .head = "head",
       .init_options = {text_option("grid", "",
                                    "patches that the positions of a plain file are for, HxW")},
       .adapt = adapt_vit,
       .make = make});
}

/// timm's, for ImageNet: patches of 16 pixels, images of 224.
bool register_patch16(const char* size, int64_t dim, int64_t heads) {
  return register_vit(
      fmt::format("vit-{}-patch16-224", size),
      fmt::format("vision transformer of width {}, 12 blocks, images of 224 pixels", dim),
      {224, 224, 3},
      {.patch = 16, .dim = dim, .depth = 12, .heads = heads, .mlp_ratio = 4.0, .qkv_bias = true});
}

[[maybe_unused]] const bool registered =
    register_vit("vit", "vision transformer of any size", {}, {}) &&
    register_vit("vit-cifar", "vision transformer of width 192, 9 blocks, for small images",
                 {32, 32, 3}, {}) &&
    register_patch16("tiny", 192, 3) && register_patch16("small", 384, 6) &&
    register_patch16("base", 768, 12);

}  // namespace
}  // namespace diagrad::models
