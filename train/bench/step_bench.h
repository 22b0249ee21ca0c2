#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/train/bench/profile.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {

struct StepBenchOptions {
  Shape input = {32, 32, 3};  ///< of one image, [H,W,C]
  int64_t steps = 10;         ///< timed
  int64_t warmup = 3;         ///< before, at least one
  bool profile = false;       ///< time each operation of the timed steps
};

/// The median, least and largest of some figures.
struct Spread {
  double median = 0.0;
  double min = 0.0;
  double max = 0.0;
};

Spread spread_of(std::vector<double> values);

/// What a bench of training steps found. Flops are nominal: two per multiply-add of the direct
/// form, padding counted; a step has three times those of its forward pass, as each product has
/// two derivatives.
struct StepBench {
  int threads = 1;
  int64_t parameters = 0;
  Spread step_seconds;
  double forward_seconds = 0.0;  ///< medians, with the loss
  double backward_seconds = 0.0;
  double optimizer_seconds = 0.0;  ///< gradients cleared, their norm, the update
  double data_seconds = 0.0;       ///< making a batch, before each step and not part of it
  int64_t multiply_adds = 0;       ///< of one forward pass over a batch
  int64_t bytes = 0;  ///< that the operations and the update of a step must read and write
  double peak_flops = 0.0;
  double bandwidth = 0.0;
  int64_t peak_memory_bytes = 0;  ///< largest resident size, less that before the first step
  int64_t allocator_peak_bytes = 0;
  int64_t system_allocations = 0;  ///< blocks that the timed steps took from the system
  std::optional<double> foreign_before;
  std::optional<double> foreign_during;
  std::optional<double> startup_seconds;  ///< from the start of the process to the first step
  std::unique_ptr<Profile> profile;       ///< of the timed steps, where it was asked for

  double step_flops() const { return 6.0 * static_cast<double>(multiply_adds); }
};

/// Trains the model of the options for its task on random images and targets, `Stepper` and loader
/// as in a run (the loader without workers), and measures. The machine's own figures come last, on
/// the same threads. The learning rate is tiny: the labels say nothing, and the time does not
/// depend on it.
StepBench bench_steps(const Options& options, const StepBenchOptions& bench);

}  // namespace diagrad::train
