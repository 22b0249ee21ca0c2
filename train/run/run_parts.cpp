#include "diagrad/train/run/run_parts.h"

#include "diagrad/nn/freeze.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/optimization.h"

namespace diagrad::train {
namespace {

data::LoaderOptions loader_options(const Options& o) {
  return {.batch = o.batch,
          .shuffle = true,
          .drop_last = o.drop_last,
          .workers = static_cast<int>(o.workers),
          .seed = static_cast<uint64_t>(o.seed),
          .augmentations = data::parse_augmentations(o.augment),
          .normalization = o.normalization};
}

std::unique_ptr<Ema> make_ema(const Options& options, const nn::Module& model) {
  if (options.ema_decay == 0.0) return nullptr;
  return std::make_unique<Ema>(model.state_dict(), options.ema_decay);
}

}  // namespace

int64_t steps_of(int64_t batches, const Options& options) {
  return (batches + options.accumulate - 1) / options.accumulate;
}

RunParts::RunParts(const TrainJob& of)
    : job(of),
      data(
          job.data.hash.empty()
              ? data::identify({.train = job.train, .validation = job.validation, .test = job.test})
              : job.data),
      frozen(nn::freeze(*job.model, job.options.freeze)),
      optimizer(make_optimizer(job.options, job.model->named_parameters())),
      ema(make_ema(job.options, *job.model)),
      loader(job.train, loader_options(job.options)),
      steps_per_epoch(steps_of(loader.batch_count(), job.options)),
      schedule(make_learning_rate(job.options, steps_per_epoch)) {}

TensorMap RunParts::live() const {
  TensorMap all;
  for (const auto& named : job.model->state_dict()) all["model." + named.first] = named.second;
  for (const auto& named : optimizer->state()) all["optimizer." + named.first] = named.second;
  if (ema == nullptr) return all;
  for (const auto& named : ema->state()) all["ema." + named.first] = named.second;
  return all;
}

}  // namespace diagrad::train
