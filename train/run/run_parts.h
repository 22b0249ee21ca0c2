#pragma once

#include <cstdint>
#include <memory>

#include "diagrad/data/loader.h"
#include "diagrad/train/optim/ema.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/job.h"

namespace diagrad::train {

/// Optimizer steps in an epoch of `batches` batches.
int64_t steps_of(int64_t batches, const Options& options);

/// What a run has beside its model before anything is restored. A dry run makes the same, so that
/// it fails where the run would.
struct RunParts {
  /// Freezes what the options say. Throws Error(usage) for options that do not fit the model or the
  /// data. `job` must outlive it.
  explicit RunParts(const TrainJob& job);

  /// Handles of everything a checkpoint holds: `model.*`, `optimizer.*`, `ema.*`.
  TensorMap live() const;

  const TrainJob& job;
  data::DataIdentity data;
  int64_t frozen;  ///< values of parameters that are not trained
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Ema> ema;  ///< null: off
  data::Loader loader;
  int64_t steps_per_epoch;
  LearningRate schedule;
};

}  // namespace diagrad::train
