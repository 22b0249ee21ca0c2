#include "tests/train/tasks/denoise/gaussian.h"

#include <cmath>
#include <utility>

#include "diagrad/ops/binary.h"
#include "diagrad/ops/unary.h"

namespace diagrad::testing {

using train::DenoiseTarget;
using train::NoiseSchedule;

double Gaussian::variance(double alpha_bar) const {
  return alpha_bar * deviation * deviation + 1.0 - alpha_bar;
}

double Gaussian::slope(double alpha_bar) const {
  return std::sqrt(alpha_bar) * deviation * deviation / variance(alpha_bar);
}

double Gaussian::offset(double alpha_bar) const {
  return mean * (1.0 - slope(alpha_bar) * std::sqrt(alpha_bar));
}

double Gaussian::flow(double x, double from, double to) const {
  return std::sqrt(to) * mean +
         std::sqrt(variance(to) / variance(from)) * (x - std::sqrt(from) * mean);
}

train::Denoiser Gaussian::denoiser(const NoiseSchedule& schedule, DenoiseTarget target) const {
  return [*this, schedule, target](const Tensor& x, int64_t t) {
    const double a = schedule.alpha_bar(t);
    const Tensor x0 = affine(x, slope(a), offset(a));
    if (target == DenoiseTarget::x0) return x0;
    const Tensor epsilon = div(sub(x, mul(x0, std::sqrt(a))), std::sqrt(1.0 - a));
    if (target == DenoiseTarget::epsilon) return epsilon;
    return sub(mul(epsilon, std::sqrt(a)), mul(x0, std::sqrt(1.0 - a)));
  };
}

NoiseSchedule off_by_one(const NoiseSchedule& schedule) {
  std::vector<double> levels;
  for (int64_t t = 1; t < schedule.steps(); ++t) levels.push_back(schedule.alpha_bar(t));
  levels.push_back(schedule.alpha_bar(schedule.steps() - 1) / 2.0);
  return NoiseSchedule(std::move(levels));
}

double ddim_move(const ScalarMove& m, double eta) {
  const double s = eta * std::sqrt((1.0 - m.to) / (1.0 - m.from)) * std::sqrt(1.0 - m.from / m.to);
  const double epsilon = (m.x - std::sqrt(m.from) * m.x0) / std::sqrt(1.0 - m.from);
  return std::sqrt(m.to) * m.x0 + std::sqrt(1.0 - m.to - s * s) * epsilon + s * m.z;
}

/// Bayes: x' is N(sqrt(to) x0, 1 - to) before x = sqrt(ratio) x' + N(0, 1 - ratio) is seen.
double ddpm_move(const ScalarMove& m, bool large) {
  if (m.to == 1.0) return m.x0;
  const double ratio = m.from / m.to;
  const double precision = 1.0 / (1.0 - m.to) + ratio / (1.0 - ratio);
  const double mean =
      (std::sqrt(m.to) * m.x0 / (1.0 - m.to) + std::sqrt(ratio) * m.x / (1.0 - ratio)) / precision;
  return mean + m.z * std::sqrt(large ? 1.0 - ratio : 1.0 / precision);
}

double dpm_solver_move(const ScalarMove& m) {
  if (m.to == 1.0) return m.x0;
  const auto lambda = [](double a) { return std::log(std::sqrt(a) / std::sqrt(1.0 - a)); };
  const double h = lambda(m.to) - lambda(m.from);
  double d = m.x0;
  if (m.before >= 0.0) {
    const double r = (lambda(m.from) - lambda(m.before)) / h;
    d = (1.0 + 1.0 / (2.0 * r)) * m.x0 - 1.0 / (2.0 * r) * m.x0_before;
  }
  return std::sqrt(1.0 - m.to) / std::sqrt(1.0 - m.from) * m.x -
         std::sqrt(m.to) * (std::exp(-h) - 1.0) * d;
}

}  // namespace diagrad::testing
