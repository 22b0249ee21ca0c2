#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/tensor.h"
#include "diagrad/data/dataset.h"
#include "diagrad/data/loader.h"
#include "diagrad/models/registry.h"
#include "diagrad/train/tasks/blocks.h"
#include "diagrad/train/tasks/generator.h"
#include "diagrad/train/tasks/metric.h"

namespace diagrad::train {

/// What a batch gives while training.
struct TaskStep {
  Tensor loss;      ///< the mean over the batch, as it is differentiated
  MetricSums sums;  ///< without the loss, which the loop adds
};

/// Measures a model on a data set, batch by batch, in evaluation mode and without a graph.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  /// The images of the batch are in the dtype of the model.
  virtual void add(nn::Module& model, const data::Batch& batch) = 0;
  /// With as many values as those of TaskStep, or none before the first batch.
  virtual const MetricSums& sums() const = 0;
  /// What a report shows, after the last batch.
  virtual std::vector<Block> blocks() const { return {}; }
  /// What `--save-logits` writes, where it was asked for.
  virtual std::map<std::string, Tensor> outputs() const { return {}; }
};

struct EvaluatorOptions {
  data::DatasetPtr set;
  int64_t samples = 0;        ///< images of each kind in the galleries; 0: no galleries
  bool keep_outputs = false;  ///< for Evaluator::outputs
};

/// What is trained: how the model is called, what the loss of a batch is, what is measured. Holds
/// no state of a run.
class Task {
 public:
  virtual ~Task() = default;

  /// Beside the loss; the first one chooses the best epoch. Without any, the loss does.
  virtual const std::vector<Metric>& metrics() const = 0;
  /// Their values, in that order; NaN where there were no examples.
  virtual std::vector<double> values(const MetricSums& sums) const = 0;
  /// How many outputs the model has for images of `info`, where the user asks for `classes`
  /// (0: what the data says). Throws Error(usage) for too few.
  virtual int64_t outputs(const data::DatasetInfo& info, int64_t classes) const = 0;

  /// The model's output for a batch whose images are in the dtype of the model.
  virtual Tensor call(nn::Module& model, const data::Batch& batch) const = 0;
  /// The loss of a batch with its graph, and the sums for the metrics.
  virtual TaskStep forward(nn::Module& model, const data::Batch& batch) const = 0;
  virtual std::unique_ptr<Evaluator> evaluator(const EvaluatorOptions& options) const = 0;
  /// What makes images with a trained model, in evaluation mode, which is used, not owned; null
  /// where TaskInfo::can_generate is false. Throws Error(usage) for options that the model cannot
  /// serve, beginning with the option's name and a colon.
  virtual std::unique_ptr<Generator> generator(nn::Module& model,
                                               const GeneratorOptions& options) const;

  /// "loss", lower is better, then metrics().
  std::vector<Metric> all_metrics() const;
  /// The one that chooses the best epoch.
  Metric primary() const;
  /// The values of all_metrics().
  MetricValues all_values(const MetricSums& sums) const;
};

/// A registry of a task's own that users choose from by `--<option> name:...`, such as samplers.
struct TaskRegistry {
  struct Entry {
    std::string name = {};
    std::string help = {};  ///< one line
    std::string citation = {};
    std::vector<Option> options = {};
  };
  std::string option = {};  ///< "sampler"
  std::string plural = {};  ///< "samplers": the command that lists it
  std::string help = {};    ///< of that command
  std::function<std::vector<Entry>()> entries = {};
};

/// Something else that a model trained by a task can be measured by:
/// `eval --measure name:option=value,...`.
struct Measure {
  std::string name = {};
  std::string help = {};  ///< one line
  std::vector<Option> options = {};
  /// A task that calls the model as the task with these options does, and has other metrics and
  /// another evaluator.
  std::function<std::shared_ptr<const Task>(const OptionValues& task, const OptionValues& own)>
      make = {};
};

/// An entry of the registry: `--task name:option=value,...`.
struct TaskInfo {
  std::string name = {};
  std::string help = {};  ///< one line
  std::vector<Option> options = {};
  std::vector<data::TargetInfo> targets = {};       ///< what the data must have
  models::CallForm call = models::CallForm::image;  ///< what the model must take
  models::Output output = models::Output::logits;   ///< and give
  std::string normalization = {};  ///< the preset it needs; empty: any, by default the data's own
  std::vector<std::string> augment = {"pad-crop:border=4", "flip"};  ///< where the user names none
  bool can_mix = false;  ///< forward takes mixed batches (data/mix.h); metrics may be NaN for them
  bool can_generate = false;                   ///< gives a generator
  std::vector<Option> generator_options = {};  ///< of `sample`, beside those of every generator
  std::vector<TaskRegistry> registries = {};
  std::vector<Measure> measures = {};
  std::function<std::shared_ptr<const Task>(const OptionValues&)> make = {};
};

/// `const bool registered = register_task({...});` at namespace scope of the task's file.
bool register_task(TaskInfo info);
/// All tasks, in order of their names.
const std::vector<TaskInfo>& tasks();
/// The entry that `name:option=value,...` names. Throws Error(usage) with the names there are.
const TaskInfo& find_task(std::string_view text);
/// The task that `name:option=value,...` describes.
std::shared_ptr<const Task> make_task(std::string_view text);
/// What `name:option=value,...` measures of a model that the task `task` trained. Throws
/// Error(usage) with those that the task has.
std::shared_ptr<const Task> make_measure(std::string_view task, std::string_view text);

/// Throws Error(data) where a data set lacks a target that the task needs.
void check_data(const TaskInfo& task, const data::DatasetInfo& info);
/// The task for a model whose user names none: `usual` where it fits, else the first one that fits,
/// `usual` again where none does.
std::string task_for(const models::ModelInfo& model, const std::string& usual);
/// Throws Error(usage) where a model cannot be called by the task, with the tasks and the models
/// that fit.
void check_model(const TaskInfo& task, const models::ModelInfo& model);

}  // namespace diagrad::train
