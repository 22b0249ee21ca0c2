#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/train/options.h"

namespace diagrad::train {

/// The learning rate of each step, a function of the step's number alone (so it resumes by
/// itself). With peak rate L, step s of N = epochs * steps_per_epoch, warm-up of w steps, and
/// epoch e = s / steps_per_epoch counted from 0:
///
///   constant   L
///   multistep  L * gamma^(number of milestones <= e)
///   cosine     min + (L - min) (1 + cos(pi (s - w) / (N - w))) / 2
///   onecycle   PyTorch's OneCycleLR: cosine from L / start_factor up to L at step peak_at N - 1,
///              then down to L / start_factor / final_factor at the last step
///
/// During warm-up (not for onecycle) the rate of step s < w is L (s + 1) / (w + 1).
class Schedule {
 public:
  Schedule(const Options& options, int64_t steps_per_epoch);

  /// For 0 <= step; beyond the last step, that of the last one.
  double lr(int64_t step) const;
  int64_t steps() const { return steps_; }

 private:
  enum class Kind { constant, multistep, cosine, onecycle };
  double onecycle(double step) const;

  Kind kind_;
  double peak_;
  double min_;
  double gamma_;
  std::vector<int64_t> milestones_;
  double peak_at_;
  double start_;
  double final_;
  int64_t steps_per_epoch_;
  int64_t steps_;
  int64_t warmup_;
};

}  // namespace diagrad::train
