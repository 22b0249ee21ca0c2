#include <fmt/ranges.h>

#include <array>
#include <string_view>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/unet.h"
#include "diagrad/models/unet_levels.h"

namespace diagrad::models {
namespace {

std::vector<Option> unet_options() {
  const UnetOptions preset;
  return {
      int_option("base", preset.base, 4, 4096, "channels of the first level"),
      int_list_option("mult", preset.mult, 1, 64, "channels of each level over base"),
      int_option("blocks", preset.blocks, 1, 100,
                 "residual blocks of a level; on the way up one more"),
      int_option("groups", preset.groups, 0, 4096,
                 "of the normalisations; 0: 32 from base 64 on, else base / 4. With one channel a "
                 "group the time has no effect there"),
      int_list_option("attn", preset.attn, 1, 65536, "heights of the levels with self-attention"),
      int_option("heads", preset.heads, 1, 4096, "of self-attention; they divide the channels"),
      float_option("dropout", preset.dropout, 0.0, 1.0, "before the last convolution of a block"),
      int_option("classes", preset.classes, 0, 1'000'000,
                 "to condition on, beside one that means none; 0: unconditional"),
      float_option("eps", preset.epsilon, 0.0, 1.0, "added to the variance of normalisations"),
      choice_option("down-padding", {"symmetric", "asymmetric"},
                    "zeros around images that are halved, or behind them alone"),
      choice_option("time", {"sin-cos", "cos-sin"}, "which half of the time features comes first"),
      int_option("freq-shift", preset.frequency_shift, 0, 1,
                 "frequencies of the time are 10000^(-i / (base / 2 - freq-shift))"),
  };
}

UnetOptions read(const ModelSpec& spec, const OptionValues& options) {
  DG_CHECK(spec.input.rank() == 3, "unet: needs images [H,W,C], got shape {}", spec.input);
  return {.base = options.get_int("base"),
          .mult = options.get_ints("mult"),
          .blocks = options.get_int("blocks"),
          .groups = options.get_int("groups"),
          .attn = options.get_ints("attn"),
          .heads = options.get_int("heads"),
          .dropout = options.get_float("dropout"),
          .classes = options.get_int("classes"),
          .epsilon = options.get_float("eps"),
          .down_padding = options.get_choice("down-padding") == "symmetric"
                              ? DownPadding::symmetric
                              : DownPadding::asymmetric,
          .time_order = options.get_choice("time") == "sin-cos" ? nn::TimeOrder::sin_cos
                                                                : nn::TimeOrder::cos_sin,
          .frequency_shift = options.get_int("freq-shift"),
          .channels = spec.input[2],
          .input = {spec.input[0], spec.input[1]},
          .attention = spec.attention,
          .sharing = spec.sharing,
          .checkpoint_blocks = spec.checkpoint_blocks,
          .seed = spec.seed};
}

/// "32x32 pixels of 128 channels, 16x16 of 256 with self-attention, 8x8 of 256, 4x4 of 256".
std::string sizes(const ModelSpec& spec, const OptionValues& values) {
  std::vector<std::string> words;
  for (const UnetLevel& level : unet_levels(read(spec, values))) {
    if (level.path != UnetLevel::Path::down) break;
    words.push_back(fmt::format("{}x{}{} of {}{}", level.size.h, level.size.w,
                                words.empty() ? " pixels" : "", level.width,
                                words.empty() ? " channels" : ""));
    if (level.attentions > 0) words.back() += " with self-attention";
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string at_other_sizes(const OptionValues& /*options*/) {
  return "its self-attention sees another number of pixels";
}

/// The names that diffusers' first versions gave to the layers of self-attention, which files such
/// as google/ddpm-cifar10-32 have, become today's.
void adapt(GivenState& given, const nn::Module& /*model*/) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kRenamed = {
      {{"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}}};
  nn::StateDict renamed;
  int64_t count = 0;
  for (const auto& [name, tensor] : given.tensors) {
    std::string now = name;
    for (const auto& [before, after] : kRenamed) {
      const std::string layer = fmt::format(".{}.", before);
      const size_t at = name.rfind(layer);
      if (at == std::string::npos || name.find("attentions.") == std::string::npos) continue;
      now = fmt::format("{}.{}.{}", name.substr(0, at), after, name.substr(at + layer.size()));
      ++count;
    }
    renamed[now] = tensor;
  }
  if (count == 0) return;
  given.tensors = std::move(renamed);
  given.notes.push_back(fmt::format(
      "{} tensors of self-attention renamed from query, key, value and proj_attn", count));
}

[[maybe_unused]] const bool registered =
    register_model({.name = "unet",
                    .help = "U-net of diffusion: an image and a time to an image of the same size",
                    .options = unet_options(),
                    .calls = {CallForm::image_time, CallForm::image_time_class},
                    .output = Output::image,
                    .can_checkpoint = true,
                    .stateful_sharing = kUnetStatefulSharing,
                    .input = {32, 32, 3},
                    .sizes = sizes,
                    .at_other_sizes = at_other_sizes,
                    .adapt = adapt,
                    .make = [](const ModelSpec& spec, const OptionValues& options) {
                      return make_unet(read(spec, options));
                    }});

}  // namespace
}  // namespace diagrad::models
