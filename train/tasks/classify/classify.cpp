#include <limits>

#include "diagrad/core/error.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/tasks/classify/evaluator.h"
#include "diagrad/train/tasks/classify/mixed_targets.h"
#include "diagrad/train/tasks/classify/score.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {
namespace {

/// One class per image: softmax cross-entropy, accuracy.
class Classify : public Task {
 public:
  explicit Classify(double label_smoothing) : label_smoothing_(label_smoothing) {}

  const std::vector<Metric>& metrics() const override {
    static const std::vector<Metric> all = {{.name = "accuracy", .is_share = true}};
    return all;
  }

  std::vector<double> values(const MetricSums& sums) const override {
    if (sums.examples == 0) return {std::numeric_limits<double>::quiet_NaN()};
    const double correct = sums.values.empty() ? 0.0 : sums.values[0];
    return {correct / static_cast<double>(sums.examples)};
  }

  int64_t outputs(const data::DatasetInfo& info, int64_t classes) const override {
    if (classes == 0) return info.class_count();
    DG_CHECK(classes >= info.class_count(),
             "classes: {} outputs are too few, {} has {} classes; leave --classes out", classes,
             info.name, info.class_count());
    return classes;
  }

  Tensor call(nn::Module& model, const data::Batch& batch) const override {
    return model.call({.image = batch.images});
  }

  TaskStep forward(nn::Module& model, const data::Batch& batch) const override {
    const Tensor& labels = batch.target("label").values;
    const Tensor logits = call(model, batch);
    TaskStep step;
    step.sums.examples = labels.numel();
    if (batch.own_share) {
      step.loss = cross_entropy_soft(
          logits, mixed_targets(labels, *batch.own_share, logits.size(1), label_smoothing_)
                      .to(logits.dtype()));
      step.sums.values = {std::numeric_limits<double>::quiet_NaN()};  // no class is the right one
    } else {
      step.loss = cross_entropy(logits, labels, {.label_smoothing = label_smoothing_});
      step.sums.values = {static_cast<double>(count_correct(logits, labels))};
    }
    return step;
  }

  std::unique_ptr<Evaluator> evaluator(const EvaluatorOptions& options) const override {
    return std::make_unique<ClassifyEvaluator>(options);
  }

 private:
  double label_smoothing_;
};

Option label_smoothing_option() {
  Option option = float_option("label-smoothing", 0.0, 0.0, 1.0,
                               "share of the target that is spread over all classes");
  option.below_high = true;
  return option;
}

[[maybe_unused]] const bool registered =
    register_task({.name = "classify",
                   .help = "one class per image, by softmax cross-entropy",
                   .options = {label_smoothing_option()},
                   .targets = {data::label_target()},
                   .can_mix = true,
                   .make = [](const OptionValues& options) -> std::shared_ptr<const Task> {
                     return std::make_shared<Classify>(options.get_float("label-smoothing"));
                   }});

}  // namespace
}  // namespace diagrad::train
