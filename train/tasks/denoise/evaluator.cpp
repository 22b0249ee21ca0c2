#include "diagrad/train/tasks/denoise/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/core/text.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/concat.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/slice.h"
#include "diagrad/train/tasks/denoise/generator.h"

namespace diagrad::train {
namespace {

constexpr uint64_t kGridSeed = 0;
constexpr const char* kLabel = "label";

/// The mean squared error of each image, f64 [B].
Tensor squared_errors(const Tensor& output, const Tensor& target) {
  const Tensor error = sub(output, target).to(DType::f64);
  return mean(mul(error, error), {.axes = {1, 2, 3}});
}

}  // namespace

std::vector<int64_t> grid_images(int64_t size, int64_t count) {
  RandomStream random(kGridSeed, stream_id("denoise grid images"));
  std::vector<int64_t> numbers = permutation(size, random);
  numbers.resize(static_cast<size_t>(std::min(size, count)));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::vector<int64_t> grid_steps(int64_t schedule_steps, int64_t count) {
  std::vector<int64_t> steps;
  for (int64_t j = 0; j < count; ++j) steps.push_back((2 * j + 1) * schedule_steps / (2 * count));
  return steps;
}

data::Batch chosen_images(const data::Batch& batch, const std::vector<int64_t>& wanted) {
  std::vector<int64_t> places;
  for (int64_t b = 0; b < batch.size(); ++b) {
    const int64_t number = batch.indices[static_cast<size_t>(b)];
    if (std::binary_search(wanted.begin(), wanted.end(), number)) places.push_back(b);
  }
  if (std::ssize(places) == batch.size()) return batch;
  data::Batch part;
  if (places.empty()) return part;
  const auto rows = [&](const Tensor& x) {
    std::vector<Tensor> taken;
    for (const int64_t b : places) taken.push_back(slice(x, 0, b, b + 1));
    return concat(taken, 0);
  };
  part.images = rows(batch.images);
  for (const int64_t b : places) part.indices.push_back(batch.indices[static_cast<size_t>(b)]);
  for (const data::BatchTarget& target : batch.targets) {
    if (target.name == kLabel) part.targets.push_back({target.name, rows(target.values), {}});
  }
  return part;
}

DenoiseEvaluator::DenoiseEvaluator(const Diffusion& diffusion, const DenoiseGrid& grid,
                                   const EvaluatorOptions& options)
    : diffusion_(diffusion),
      options_(options),
      preview_steps_(std::min(grid.preview_steps, diffusion.schedule.steps())),
      images_(grid_images(options.set->size(), grid.images)),
      steps_(grid_steps(diffusion.schedule.steps(), grid.times)),
      step_sums_(steps_.size()) {}

std::string DenoiseEvaluator::class_name(int64_t label) const {
  const std::vector<std::string>& names = options_.set->info().classes;
  return label < std::ssize(names) ? names[static_cast<size_t>(label)]
                                   : fmt::format("class {}", label);
}

/// `like` gives the shape of an image and the dtype.
Gallery DenoiseEvaluator::generated(nn::Module& model, const Tensor& like) const {
  Gallery gallery{.title = "Generated images",
                  .note = fmt::format("From the same noise in every evaluation, {} steps of DDIM.",
                                      preview_steps_)};
  const OptionValues values("sample", {"", {{"steps", std::to_string(preview_steps_)}}},
                            denoise_generator_options());
  const Shape image = {like.size(1), like.size(2), like.size(3)};
  DenoiseGenerator generator(model, diffusion_,
                             {.image = image,
                              .normalization = kDenoiseNormalization,
                              .dtype = like.dtype(),
                              .seed = kGridSeed,
                              .values = values});
  std::vector<uint8_t> pixels;
  try {
    pixels = generator.generate(0, options_.samples);
  } catch (const Error& error) {
    // A net that diverged is told by its loss.
    if (error.kind() != ErrorKind::diverged) throw;
    gallery.note = "None: the net gave values that are no numbers.";
    return gallery;
  }
  for (int64_t i = 0; i < options_.samples; ++i) {
    const std::optional<int64_t> label = generator.label(i);
    const std::string description = label ? class_name(*label) : "generated";
    const auto begin = pixels.begin() + i * image.numel();
    Gallery::Image& shown = gallery.images.emplace_back();
    shown = {.description = description,
             .source = "generated",
             .index = i,
             .height = image[0],
             .width = image[1],
             .channels = image[2],
             .pixels = {begin, begin + image.numel()}};
    if (label) shown.captions = {{.label = "class", .text = description}};
  }
  return gallery;
}

void DenoiseEvaluator::add(nn::Module& model, const data::Batch& batch) {
  if (options_.samples > 0 && preview_steps_ > 0 && !gallery_) {
    gallery_ = generated(model, batch.images);
  }
  const data::Batch part = chosen_images(batch, images_);
  if (part.size() == 0) return;
  const Tensor classes = class_labels(model, part);
  Shape image = part.images.shape();
  image.erase(0);
  for (size_t j = 0; j < steps_.size(); ++j) {
    const std::vector<int64_t> steps(part.indices.size(), steps_[j]);
    const Tensor noise =
        image_noise("denoise grid", kGridSeed, part.indices, j, image, part.images.dtype());
    const NoisyImages noisy = add_noise(diffusion_, part.images, steps, noise);
    const Tensor output =
        model.call({.image = noisy.x, .time = noisy.time, .class_label = classes});
    const double weight = min_snr_weight(
        diffusion_.target, diffusion_.schedule.alpha_bar(steps_[j]), diffusion_.min_snr);
    const Tensor errors = squared_errors(output, noisy.target);
    // One image after the other, so that the size of the batches does not change the sum.
    for (int64_t b = 0; b < part.size(); ++b) step_sums_[j] += weight * errors.data<double>()[b];
  }
  sums_.examples += part.size();
  sums_.loss = std::accumulate(step_sums_.begin(), step_sums_.end(), 0.0) /
               static_cast<double>(steps_.size());
}

std::vector<Block> DenoiseEvaluator::blocks() const {
  Series series{.title = "Loss at each step of diffusion",
                .note = fmt::format("Over {} images; the last steps are almost noise alone.",
                                    thousands(sums_.examples)),
                .x_heading = "step"};
  Series::Line& line = series.lines.emplace_back();
  line.name = "loss";
  for (size_t j = 0; j < steps_.size(); ++j) {
    series.x.push_back(static_cast<double>(steps_[j]));
    line.y.push_back(step_sums_[j] / static_cast<double>(sums_.examples));
  }
  std::vector<Block> all = {std::move(series)};
  if (gallery_) all.emplace_back(*gallery_);
  return all;
}

}  // namespace diagrad::train
