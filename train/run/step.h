#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "diagrad/data/loader.h"
#include "diagrad/data/mix.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::nn {
class Module;
}

namespace diagrad::train {

/// A part of a step on the clock: "forward" (with the loss), "backward" or "optimizer" (gradients
/// cleared; their norm and the update).
struct PhaseSpan {
  using Clock = std::chrono::steady_clock;
  const char* name = "";
  Clock::time_point start = {};
  Clock::time_point end = {};
};

struct StepResult {
  int64_t images = 0;
  double loss = 0.0;                   ///< mean over the images, as it is differentiated
  MetricSums sums = {};                ///< of the task, with that loss
  double grad_norm = 0.0;              ///< before clipping
  std::vector<PhaseSpan> phases = {};  ///< in the order they ran, without gaps
};

/// What identifies a step: for dropout masks and for messages.
struct StepPlace {
  int64_t step = 0;         ///< counted from 1
  int64_t epoch = 0;        ///< counted from 1
  int64_t first_batch = 0;  ///< its first batch, counted over all epochs
};

/// One optimizer step: forward, loss, backward over each batch, then clipping and the update.
/// Several batches are accumulated, each weighted by its share of the images, so that the loss
/// is the mean over all of them; normalisation statistics stay per batch.
///
/// Random layers, and the mixing of a batch, draw from (seed, batch number). When the loss or the
/// norm of the gradient is not finite, nothing is updated: the batches are run again under an
/// observer, and Error(diverged) names the first operation, forward or backward, whose output is
/// not finite.
class Stepper {
 public:
  Stepper(const Task& task, nn::Module& model, Optimizer& optimizer, const Options& options);
  StepResult run(std::span<const data::Batch> batches, const StepPlace& place, double lr);

 private:
  /// One batch forward and backward; adds to `result`.
  void pass(const data::Batch& batch, int64_t number, double weight, StepResult& result);
  void all_passes(std::span<const data::Batch> batches, const StepPlace& place, StepResult& result);
  [[noreturn]] void explain(std::span<const data::Batch> batches, const StepPlace& place,
                            const StepResult& result);

  const Task& task_;
  nn::Module& model_;
  Optimizer& optimizer_;
  const Options& options_;
  data::MixOptions mixing_;
  DType dtype_;
};

}  // namespace diagrad::train
