#include <limits>

#include "diagrad/data/registry.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/losses.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/unary.h"
#include "diagrad/train/tasks/task.h"

// A second task, unlike the first in everything that a task decides: its targets are f32, lower is
// better, its model takes a time beside the image, its data set brings a validation set. Nothing
// outside this folder names it.

namespace diagrad {
namespace {

constexpr int64_t kSide = 6;

data::TargetInfo mean_color_target() {
  return {.name = "mean_color",
          .help = "mean of each channel, in [0, 1]",
          .dtype = DType::f32,
          .shape = {3}};
}

/// Noise of a random colour.
class ColorSet : public data::Dataset {
 public:
  ColorSet(int64_t size, uint64_t seed)
      : Dataset({.name = "colors",
                 .image = {kSide, kSide, 3},
                 .targets = {mean_color_target()},
                 .normalization = "half"}),
        size_(size),
        seed_(seed) {}

  int64_t size() const override { return size_; }
  std::string source(int64_t index) const override { return "color " + std::to_string(index); }

  void read(int64_t index, data::Sample& sample) const override {
    sample.start(info(), info().image);
    RandomStream random(seed_, stream_id("colors", static_cast<uint64_t>(index)));
    std::vector<float>& mean = sample.values<float>("mean_color");
    for (int64_t c = 0; c < 3; ++c) {
      const double color = random.uniform(40.0, 215.0);
      double sum = 0.0;
      for (int64_t i = 0; i < kSide * kSide; ++i) {
        const auto value = static_cast<uint8_t>(color + random.uniform(-40.0, 40.0));
        sample.pixels[static_cast<size_t>(i * 3 + c)] = value;
        sum += value;
      }
      mean.push_back(static_cast<float>(sum / (255.0 * kSide * kSide)));
    }
  }

 private:
  int64_t size_;
  uint64_t seed_;
};

[[maybe_unused]] const bool registered_data = data::register_dataset(
    {.name = "colors",
     .help = "noise of random colours",
     .targets = {mean_color_target()},
     .options = {int_option("train", 48, 8, 1000, "training images")},
     .make = [](const OptionValues& options) -> data::DatasetSplits {
       return {std::make_shared<ColorSet>(options.get_int("train"), 1),
               std::make_shared<ColorSet>(12, 2), std::make_shared<ColorSet>(20, 3)};
     }});

/// weight [3,3] and bias of the pooled image, plus a learned multiple of the time.
class TimedMean : public nn::Module {
 public:
  TimedMean(int64_t channels, int64_t outputs, RandomStream random)
      : fc_(add("fc", nn::Linear({channels, outputs}, random))),
        slope_(add_parameter("slope", Tensor::full({1}, 0.5))) {}

  Tensor call(const nn::Inputs& inputs) override {
    const Tensor y = fc_->forward(global_avg_pool(inputs.image));
    const Tensor shift = mul(slope_, inputs.time);
    return diagrad::add(y, reshape(shift, {inputs.time.size(0), 1}));
  }

 private:
  std::shared_ptr<nn::Linear> fc_;
  Tensor slope_;
};

[[maybe_unused]] const bool registered_model = models::register_model(
    {.name = "timed-mean",
     .help = "a linear layer of the mean colour and a time",
     .calls = {models::CallForm::image_time},
     .head = "fc",
     .make = [](const models::ModelSpec& spec, const OptionValues& /*options*/) {
       return std::make_shared<TimedMean>(spec.input[2], spec.classes,
                                          RandomStream(spec.seed, stream_id("weights")));
     }});

}  // namespace

namespace train {
namespace {

/// The mean error of a channel, in units of [0, 1].
double absolute_error(const Tensor& output, const Tensor& target) {
  const Tensor error = abs(sub(output.detach(), target));
  double sum = 0.0;
  for (int64_t i = 0; i < error.numel(); ++i) {
    sum += error.dtype() == DType::f64 ? error.data<double>()[i]
                                       : static_cast<double>(error.data<float>()[i]);
  }
  return sum / static_cast<double>(error.size(1));
}

class MeanColorEvaluator : public Evaluator {
 public:
  MeanColorEvaluator(const Task& task, const EvaluatorOptions& options)
      : task_(task), options_(options) {
    sums_.values = {0.0};
  }

  void add(nn::Module& model, const data::Batch& batch) override {
    const Tensor output = task_.call(model, batch);
    const Tensor target = batch.target("mean_color").values.to(output.dtype());
    sums_.examples += batch.size();
    sums_.loss += mse(output, target).item() * static_cast<double>(batch.size());
    sums_.values[0] += absolute_error(output, target);
  }
  const MetricSums& sums() const override { return sums_; }
  std::vector<Block> blocks() const override {
    const double error = sums_.values[0] / static_cast<double>(sums_.examples);
    return {
        Table{.title = "Errors of the mean colour",
              .row_heading = "channel",
              .row_names = {"all"},
              .columns = {{.name = "absolute error", .key = "color_error", .values = {error}}}}};
  }

 private:
  const Task& task_;
  EvaluatorOptions options_;
  MetricSums sums_;
};

class MeanColor : public Task {
 public:
  explicit MeanColor(double time) : time_(time) {}

  const std::vector<Metric>& metrics() const override {
    static const std::vector<Metric> all = {{.name = "color_error", .higher_is_better = false}};
    return all;
  }
  std::vector<double> values(const MetricSums& sums) const override {
    if (sums.examples == 0) return {std::numeric_limits<double>::quiet_NaN()};
    return {sums.values.at(0) / static_cast<double>(sums.examples)};
  }
  int64_t outputs(const data::DatasetInfo& /*info*/, int64_t /*classes*/) const override {
    return 3;
  }
  Tensor call(nn::Module& model, const data::Batch& batch) const override {
    return model.call(
        {.image = batch.images, .time = Tensor::full({batch.size()}, time_, batch.images.dtype())});
  }
  TaskStep forward(nn::Module& model, const data::Batch& batch) const override {
    const Tensor output = call(model, batch);
    const Tensor target = batch.target("mean_color").values.to(output.dtype());
    TaskStep step;
    step.loss = mse(output, target);
    step.sums.examples = batch.size();
    step.sums.values = {absolute_error(output, target)};
    return step;
  }
  std::unique_ptr<Evaluator> evaluator(const EvaluatorOptions& options) const override {
    return std::make_unique<MeanColorEvaluator>(*this, options);
  }

 private:
  double time_;
};

[[maybe_unused]] const bool registered =
    register_task({.name = "mean-color",
                   .help = "the mean colour of an image",
                   .options = {float_option("time", 0.25, 0.0, 1.0, "what the model is told")},
                   .targets = {mean_color_target()},
                   .call = models::CallForm::image_time,
                   .make = [](const OptionValues& options) -> std::shared_ptr<const Task> {
                     return std::make_shared<MeanColor>(options.get_float("time"));
                   }});

}  // namespace
}  // namespace train
}  // namespace diagrad
