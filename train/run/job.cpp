#include "diagrad/train/run/job.h"

#include <map>
#include <numeric>
#include <utility>

#include "diagrad/core/device.h"
#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/data/augmentation.h"
#include "diagrad/data/registry.h"
#include "diagrad/data/transform.h"
#include "diagrad/models/registry.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/option_effect.h"

namespace diagrad::train {
namespace {

constexpr int64_t kOverfitSteps = 200;

/// The first batch of the first epoch is all there is, to learn from and to be tested on.
void keep_one_batch(TrainJob& job) {
  Options& o = job.options;
  RandomStream random(static_cast<uint64_t>(o.seed), stream_id("shuffle", 0));
  std::vector<int64_t> order = permutation(job.train->size(), random);
  order.resize(static_cast<size_t>(std::min<int64_t>(o.batch, job.train->size())));
  job.train = job.test = data::subset(job.train, std::move(order));
  job.validation = nullptr;
  o.epochs = o.eval_every = o.max_steps > 0 ? o.max_steps : kOverfitSteps;
  o.max_steps = o.workers = o.save_every = o.keep_every = o.val_split = 0;
  o.accumulate = 1;
  o.augment = {"none"};
  o.mixup = o.cutmix = 0.0;
  o.schedule = "constant";
  o.warmup = "0";
}

models::ModelSpec model_spec(const Options& options, const Shape& input, int64_t classes) {
  return {.classes = classes,
          .input = input,
          .attention = options.attention,
          .sharing = options.sharing,
          .options = model_options(options),
          .checkpoint_blocks = options.checkpoint_blocks,
          .seed = static_cast<uint64_t>(options.seed)};
}

}  // namespace

std::shared_ptr<nn::Module> make_model(const Options& options, const Shape& input,
                                       int64_t classes) {
  const models::ModelSpec spec = model_spec(options, input, classes);
  check_model(find_task(options.task), models::find(options.model));
  return models::create(options.model, spec);
}

std::string sizes_of_model(const Options& options, const Shape& input) {
  return models::sizes_of(options.model, model_spec(options, input, options.classes));
}

TrainJob make_job(Options options, const ModelMaker& maker) {
  options.validate();
  parse_device(options.device);
  data::parse_augmentations(options.augmentations());
  TrainJob job;
  job.task = make_task(options.task);
  const data::DatasetSplits splits = data::open_dataset(options.data);
  job.train = splits.train;
  job.test = splits.test;
  job.validation = splits.validation;
  job.notes = splits.notes;
  const data::DatasetInfo& info = job.train->info();
  const TaskInfo& task = find_task(options.task);
  check_data(task, info);
  if (options.val_split > 0) {
    DG_CHECK(job.validation == nullptr,
             "val-split: {} brings {} validation images of its own; leave --val-split out",
             info.name, job.validation->size());
    auto split =
        data::split_validation(job.train, options.val_split, static_cast<uint64_t>(options.seed));
    job.train = split.train;
    job.validation = split.validation;
  }
  options.fill_defaults();
  options.classes = job.task->outputs(info, options.classes);
  if (!task.normalization.empty()) {
    DG_CHECK(options.normalization.empty() || options.normalization == task.normalization,
             "normalization: task {} needs '{}', got '{}'; leave --normalization out", task.name,
             task.normalization, options.normalization);
    options.normalization = task.normalization;
  }
  if (options.normalization.empty()) options.normalization = info.normalization;
  data::normalization(options.normalization);
  job.model = maker(options, info.image, options.classes);
  job.model->to(parse_dtype(options.precision));
  job.data = data::identify(splits);
  job.options = std::move(options);
  if (job.options.overfit_one_batch) keep_one_batch(job);
  return job;
}

}  // namespace diagrad::train
