#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diagrad/data/dataset.h"
#include "diagrad/data/identity.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::nn {
class Module;
}

namespace diagrad::train {

/// Everything a run needs, made from its options.
struct TrainJob {
  Options options;  ///< with `lr`, `momentum`, `classes` and `normalization` filled in
  std::shared_ptr<const Task> task;
  std::shared_ptr<nn::Module> model;
  data::DatasetPtr train;
  data::DatasetPtr validation;  ///< null: the test set chooses the best epoch
  data::DatasetPtr test;
  /// Of the sets as published; one without a hash is taken of the three sets above.
  data::DataIdentity data;
  std::vector<std::string> notes;  ///< of the data, for the user

  /// The set that is evaluated after an epoch, and what files call it.
  const data::DatasetPtr& eval_set() const { return validation ? validation : test; }
  std::string eval_name() const { return validation ? "validation" : "test"; }
};

/// The registered model that the options describe, for images of shape `input`. Throws Error(usage)
/// also for one that the task of the options cannot call.
std::shared_ptr<nn::Module> make_model(const Options& options, const Shape& input, int64_t classes);

/// What tells its sizes in words (models::sizes_of), for images of shape `input`.
std::string sizes_of_model(const Options& options, const Shape& input);

using ModelMaker =
    std::function<std::shared_ptr<nn::Module>(const Options&, const Shape&, int64_t)>;

/// Checks the options, opens the data and builds the model with its first weights: a registered
/// one, or what `maker` makes. Throws Error(usage, data or device).
TrainJob make_job(Options options, const ModelMaker& maker = make_model);

}  // namespace diagrad::train
