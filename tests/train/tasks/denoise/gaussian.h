#pragma once

#include <string>
#include <vector>

#include "diagrad/train/tasks/denoise/sampling.h"

namespace diagrad::testing {

/// Data whose elements are N(mean, deviation^2), each by itself: its best denoiser is known.
struct Gaussian {
  double mean = 0.0;
  double deviation = 1.0;

  /// Of a noisy element.
  double variance(double alpha_bar) const;
  /// E[x0 | x] = slope(a) x + offset(a).
  double slope(double alpha_bar) const;
  double offset(double alpha_bar) const;
  /// Where the flow of the probability takes x from level `from` to level `to`.
  double flow(double x, double from, double to) const;
  /// The best denoiser, its target by the definition.
  train::Denoiser denoiser(const train::NoiseSchedule& schedule, train::DenoiseTarget target) const;
};

/// The level of step t + 1 at step t: the off-by-one that every check of a sampler must see.
train::NoiseSchedule off_by_one(const train::NoiseSchedule& schedule);

/// One move as the papers write it: x0 and x0_before are predictions, z is standard normal.
/// `before` is the level of the move before, negative at the first move.
struct ScalarMove {
  double x, x0, x0_before, z;
  double from, to, before;
};
double ddim_move(const ScalarMove& move, double eta);
double ddpm_move(const ScalarMove& move, bool large);
double dpm_solver_move(const ScalarMove& move);

}  // namespace diagrad::testing
