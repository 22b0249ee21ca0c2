#include "diagrad/train/tasks/denoise/generator.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/data/transform.h"
#include "diagrad/nn/module.h"

namespace diagrad::train {
namespace {

constexpr double kMostGuidance = 1000.0;

SamplingOptions sampling_options(const GeneratorOptions& options) {
  return {.image = options.image,
          .seed = options.seed,
          .steps = options.values.get_int("steps"),
          .spacing = parse_spacing(options.values.get_choice("spacing")),
          .clip = !options.values.get_bool("no-clip"),
          .dtype = options.dtype};
}

}  // namespace

std::vector<Option> denoise_generator_options() {
  return {int_option("steps", 50, 1, 1'000'000, "of the sampler, at most those of the schedule"),
          text_option("sampler", "ddim", "name:option=value, see 'diagrad samplers'"),
          choice_option("spacing", {"trailing", "leading", "linspace"},
                        "which steps of the schedule: with its last, its first, or both"),
          float_option("guidance", 1.0, 0.0, kMostGuidance,
                       "away from the unconditional net; 1: the conditional net alone"),
          int_list_option("class", {}, 0, 1'000'000'000,
                          "of the images, in turn; none: all classes of the net in turn"),
          bool_option("no-clip", false, "do not clip predictions of the image to [-1, 1]")};
}

DenoiseGenerator::DenoiseGenerator(nn::Module& net, Diffusion diffusion,
                                   const GeneratorOptions& options)
    : net_(net),
      diffusion_(std::move(diffusion)),
      options_(options),
      classes_(options.values.get_ints("class")),
      sampler_(make_sampler(options.values.get_text("sampler"))) {
  if (classes_.empty()) {
    classes_.resize(static_cast<size_t>(net.class_count()));
    std::iota(classes_.begin(), classes_.end(), 0);
  }
  const SamplingOptions sampling = sampling_options(options_);
  sampling_steps(diffusion_.schedule.steps(), sampling.steps, sampling.spacing);
  net_denoiser(net_, diffusion_, classes_, options_.values.get_float("guidance"));
}

void DenoiseGenerator::make_group(int64_t number) {
  if (group_ == number) return;
  SamplingOptions sampling = sampling_options(options_);
  sampling.images.resize(kGroup);
  std::iota(sampling.images.begin(), sampling.images.end(), number * kGroup);
  std::vector<int64_t> labels;
  for (const int64_t image : sampling.images) {
    if (!classes_.empty()) labels.push_back(*label(image));
  }
  const Denoiser denoiser =
      net_denoiser(net_, diffusion_, labels, options_.values.get_float("guidance"));
  const Tensor images =
      sample(denoiser, diffusion_.target, diffusion_.schedule, *sampler_, sampling);
  pixels_ = data::to_bytes(images, data::normalization(options_.normalization));
  group_ = number;
}

std::vector<uint8_t> DenoiseGenerator::generate(int64_t first, int64_t count) {
  const int64_t image_bytes = options_.image.numel();
  std::vector<uint8_t> all;
  all.reserve(static_cast<size_t>(count * image_bytes));
  for (int64_t next = first; next < first + count;) {
    make_group(next / kGroup);
    const int64_t end = std::min(first + count, (group_ + 1) * kGroup);
    const auto begin = pixels_.begin() + next % kGroup * image_bytes;
    all.insert(all.end(), begin, begin + (end - next) * image_bytes);
    next = end;
  }
  return all;
}

std::optional<int64_t> DenoiseGenerator::label(int64_t image) const {
  if (classes_.empty()) return std::nullopt;
  return classes_[static_cast<size_t>(image % std::ssize(classes_))];
}

std::string DenoiseGenerator::text() const {
  const OptionValues& values = options_.values;
  std::string text = fmt::format("sampler {}, {} of {} steps, {} spacing",
                                 values.get_text("sampler"), values.get_int("steps"),
                                 diffusion_.schedule.steps(), values.get_choice("spacing"));
  if (values.get_bool("no-clip")) text += ", not clipped";
  if (classes_.empty()) return text;
  text += fmt::format(", guidance {}", values.get_float("guidance"));
  if (!values.get_ints("class").empty()) {
    return text + fmt::format(", class {}", fmt::join(classes_, ", "));
  }
  return text + fmt::format(", classes 0 to {} in turn", classes_.back());
}

}  // namespace diagrad::train
