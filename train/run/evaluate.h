#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/data/dataset.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {

struct EvaluateOptions {
  int64_t batch = 256;
  int workers = 0;
  std::string normalization = {};  ///< a preset's name; empty: the data set's own
  bool keep_outputs = false;
  int64_t samples = 0;  ///< images of each kind in the galleries; 0: none
  /// Called before each batch with the examples done and in all; false stops there.
  std::function<bool(int64_t done, int64_t total)> progress = {};
};

struct Evaluation {
  int64_t examples = 0;
  MetricValues metrics = {};                   ///< of all examples, "loss" first
  std::vector<Block> blocks = {};              ///< empty where it was stopped
  std::string details = "{}";                  ///< what of the blocks has a key, as a JSON object
  std::map<std::string, Tensor> outputs = {};  ///< with keep_outputs
  bool complete = true;                        ///< false: progress stopped it

  /// NaN for a name that is not there.
  double metric(const std::string& name) const { return value_of(metrics, name); }
};

/// That of the parameters; f32 for a model without any.
DType dtype_of(const nn::Module& model);

/// Passes a whole data set through the model in evaluation mode, in the set's order, without a
/// graph; the model's mode is as before at the end.
Evaluation evaluate(const Task& task, nn::Module& model, const data::DatasetPtr& set,
                    const EvaluateOptions& options);

}  // namespace diagrad::train
