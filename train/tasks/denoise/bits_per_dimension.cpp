#include "diagrad/train/tasks/denoise/bits_per_dimension.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "diagrad/nn/module.h"
#include "diagrad/train/tasks/denoise/evaluator.h"

namespace diagrad::train {
namespace {

constexpr uint64_t kNoiseSeed = 0;

double to_bits(double nats) {
  return nats / std::numbers::ln2;
}

class BoundEvaluator : public Evaluator {
 public:
  BoundEvaluator(const Diffusion& diffusion, std::vector<int64_t> images,
                 const BoundOptions& options)
      : diffusion_(diffusion),
        bound_(diffusion.schedule, diffusion.target, options),
        images_(std::move(images)),
        step_bits_(static_cast<size_t>(diffusion.schedule.steps())) {
    sums_.values = {0.0, 0.0};
  }

  void add(nn::Module& model, const data::Batch& batch) override;
  const MetricSums& sums() const override { return sums_; }
  std::vector<Block> blocks() const override;

 private:
  Diffusion diffusion_;
  VariationalBound bound_;
  std::vector<int64_t> images_;
  MetricSums sums_;                ///< values: of the bits of each image, and of their squares
  std::vector<double> step_bits_;  ///< over the images, at each step
  double prior_bits_ = 0.0;
};

/// Sums go over the images in their order, so that the size of the batches changes no bit.
void BoundEvaluator::add(nn::Module& model, const data::Batch& batch) {
  const data::Batch part = chosen_images(batch, images_);
  if (part.size() == 0) return;
  const Tensor classes = class_labels(model, part);
  std::vector<int64_t> labels;
  if (classes.defined()) {
    labels.assign(classes.data<int64_t>(), classes.data<int64_t>() + classes.numel());
  }
  const Denoiser denoiser = net_denoiser(model, diffusion_, labels, 1.0);
  Shape image = part.images.shape();
  image.erase(0);
  std::vector<double> totals(part.indices.size());
  const auto add_terms = [&](const Tensor& nats, double& sum) {
    for (size_t b = 0; b < totals.size(); ++b) {
      const double bits = to_bits(nats.data<double>()[b]);
      totals[b] += bits;
      sum += bits;
    }
  };
  add_terms(bound_.prior(part.images), prior_bits_);
  for (size_t t = 0; t < step_bits_.size(); ++t) {
    const Tensor noise =
        image_noise("bits-per-dim", kNoiseSeed, part.indices, t, image, part.images.dtype());
    add_terms(bound_.step(denoiser, part.images, noise, static_cast<int64_t>(t)), step_bits_[t]);
  }
  sums_.examples += part.size();
  for (const double bits : totals) {
    sums_.loss += bits * std::numbers::ln2;
    sums_.values[0] += bits;
    sums_.values[1] += bits * bits;
  }
}

std::vector<Block> BoundEvaluator::blocks() const {
  const auto count = static_cast<double>(sums_.examples);
  Series series{.title = "Bits per dimension at each step of diffusion", .x_heading = "step"};
  Series::Line& line = series.lines.emplace_back();
  line.name = "bits";
  double middle = 0.0;
  for (size_t t = 0; t < step_bits_.size(); ++t) {
    series.x.push_back(static_cast<double>(t));
    line.y.push_back(step_bits_[t] / count);
    if (t > 0) middle += step_bits_[t] / count;
  }
  Table table{.title = "The variational bound", .row_heading = "term"};
  table.row_names = {"first step (decoder)", "other steps", "prior"};
  table.columns = {{.name = "bits per dimension",
                    .key = "terms",
                    .values = {step_bits_[0] / count, middle, prior_bits_ / count}}};
  return {std::move(table), std::move(series)};
}

}  // namespace

BitsPerDimension::BitsPerDimension(const Diffusion& diffusion, int64_t images,
                                   const BoundOptions& options)
    : Denoise(diffusion, {.images = 1, .times = 1}), images_(images), options_(options) {}

const std::vector<Metric>& BitsPerDimension::metrics() const {
  static const std::vector<Metric> all = {{.name = "bits_per_dim", .higher_is_better = false},
                                          {.name = "standard_error", .higher_is_better = false}};
  return all;
}

std::vector<double> BitsPerDimension::values(const MetricSums& sums) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  if (sums.examples == 0 || sums.values.empty()) return {none, none};
  const auto count = static_cast<double>(sums.examples);
  const double mean = sums.values[0] / count;
  if (sums.examples == 1) return {mean, none};
  const double squares = std::max(0.0, sums.values[1] - count * mean * mean);
  return {mean, std::sqrt(squares / (count - 1.0) / count)};
}

std::unique_ptr<Evaluator> BitsPerDimension::evaluator(const EvaluatorOptions& options) const {
  return std::make_unique<BoundEvaluator>(diffusion(), grid_images(options.set->size(), images_),
                                          options_);
}

Measure bits_per_dimension_measure() {
  return {
      .name = "bits-per-dim",
      .help = "the variational bound on the images in bits per dimension, over all steps",
      .options = {int_option("images", 100, 1, 1'000'000, "how many, a fixed random choice"),
                  choice_option("variance", {"small", "large"}, "of a step back, as ddpm's")},
      .make = [](const OptionValues& task, const OptionValues& own) -> std::shared_ptr<const Task> {
        return std::make_shared<BitsPerDimension>(
            make_diffusion(task), own.get_int("images"),
            BoundOptions{.large_variance = own.get_choice("variance") == "large"});
      }};
}

}  // namespace diagrad::train
