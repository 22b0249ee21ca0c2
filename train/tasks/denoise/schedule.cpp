#include "diagrad/train/tasks/denoise/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

void check_steps(int64_t steps, int64_t least) {
  DG_CHECK(steps >= least, "noise schedule: {} steps, it needs at least {}", steps, least);
}

/// The products of 1 - beta.
NoiseSchedule from_betas(const std::vector<double>& betas) {
  std::vector<double> alpha_bars;
  double product = 1.0;
  for (const double beta : betas) alpha_bars.push_back(product *= 1.0 - beta);
  return NoiseSchedule(std::move(alpha_bars));
}

}  // namespace

NoiseSchedule::NoiseSchedule(std::vector<double> alpha_bars) : alpha_bars_(std::move(alpha_bars)) {
  check_steps(steps(), 1);
  double before = 1.0;
  for (size_t t = 0; t < alpha_bars_.size(); ++t) {
    const double here = alpha_bars_[t];
    DG_CHECK(here >= 0.0 && here < before,
             "noise schedule: alpha-bar is {} at step {} after {}; it must fall strictly, from "
             "below 1 to at least 0",
             here, t, before);
    before = here;
  }
}

NoiseSchedule NoiseSchedule::linear(int64_t steps) {
  check_steps(steps, 1);
  constexpr double kFirst = 1e-4;
  constexpr double kLast = 0.02;
  const double intervals = std::max(1.0, static_cast<double>(steps - 1));
  std::vector<double> betas;
  for (int64_t t = 0; t < steps; ++t) {
    betas.push_back(kFirst + (kLast - kFirst) * static_cast<double>(t) / intervals);
  }
  return from_betas(betas);
}

NoiseSchedule NoiseSchedule::cosine(int64_t steps) {
  check_steps(steps, 1);
  constexpr double kOffset = 0.008;
  constexpr double kLargestBeta = 0.999;
  const auto squared_cosine = [&](int64_t u) {
    const double share = static_cast<double>(u) / static_cast<double>(steps);
    const double c = std::cos((share + kOffset) / (1.0 + kOffset) * std::numbers::pi / 2.0);
    return c * c;
  };
  std::vector<double> betas;
  for (int64_t t = 0; t < steps; ++t) {
    betas.push_back(std::min(kLargestBeta, 1.0 - squared_cosine(t + 1) / squared_cosine(t)));
  }
  return from_betas(betas);
}

NoiseSchedule NoiseSchedule::with_zero_terminal_snr() const {
  check_steps(steps(), 2);
  const double first = std::sqrt(alpha_bars_.front());
  const double last = std::sqrt(alpha_bars_.back());
  const double scale = first / (first - last);
  std::vector<double> rescaled;
  for (const double alpha_bar : alpha_bars_) {
    const double root = (std::sqrt(alpha_bar) - last) * scale;
    rescaled.push_back(root * root);
  }
  return NoiseSchedule(std::move(rescaled));
}

double NoiseSchedule::alpha_bar(int64_t t) const {
  if (t == kClean) return 1.0;
  DG_CHECK(t >= 0 && t < steps(), "noise schedule: step {} is outside 0 to {}", t, steps() - 1);
  return alpha_bars_[static_cast<size_t>(t)];
}

double NoiseSchedule::beta(int64_t t) const {
  return 1.0 - alpha_bar(t) / alpha_bar(t - 1);
}

double snr_of(double alpha_bar) {
  return alpha_bar / (1.0 - alpha_bar);
}

}  // namespace diagrad::train
