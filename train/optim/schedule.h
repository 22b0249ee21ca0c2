#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "diagrad/train/run/options.h"

namespace diagrad::train {

/// The learning rate of each step, a function of the step's number alone (so it resumes by
/// itself). With peak rate L, step s of N = epochs * steps_per_epoch, warm-up of w steps, and
/// epoch e = s / steps_per_epoch counted from 0:
///
///   constant   L
///   multistep  L * gamma^(number of milestones <= e)
///   cosine     min + (L - min) (1 + cos(pi (s - w) / (N - w))) / 2
///   onecycle   PyTorch's OneCycleLR: cosine from L / start_factor up to L at step peak_at N - 1,
///              then down to L / start_factor / final_factor at the last step; the momentum goes
///              the other way, from max_momentum to base_momentum and back, unless cycle_momentum
///              is off (Smith, "A disciplined approach to neural network hyper-parameters", 2018)
///
/// During warm-up (not for onecycle) the rate of step s < w is L (s + 1) / (w + 1).
class Schedule {
 public:
  Schedule(const Options& options, int64_t steps_per_epoch);

  /// For 0 <= step; beyond the last step, that of the last one.
  double lr(int64_t step) const;
  /// Momentum of sgd or beta1 of adamw at the same step; nothing where the schedule leaves it
  /// alone.
  std::optional<double> momentum(int64_t step) const;
  int64_t steps() const { return steps_; }
  /// The first step with the highest rate.
  int64_t highest() const;

 private:
  enum class Kind { constant, multistep, cosine, onecycle };
  /// From `start` to `peak` to `end`, as the phases of onecycle go.
  double onecycle(double step, double start, double peak, double end) const;

  Kind kind_;
  double peak_;
  double min_;
  double gamma_;
  std::vector<int64_t> milestones_;
  double peak_at_;
  double start_;
  double final_;
  bool cycle_momentum_;
  double base_momentum_;
  double max_momentum_;
  int64_t steps_per_epoch_;
  int64_t steps_;
  int64_t warmup_;
};

}  // namespace diagrad::train
