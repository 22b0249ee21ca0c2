#include "diagrad/train/tasks/denoise/bound.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/unary.h"

namespace diagrad::train {
namespace {

/// log P(z > x) of a standard normal z, for any x.
double log_upper_tail(double x) {
  constexpr double kFar = 25.0;  // erfc is 0 beyond 38; here the series has 1e-10 of the logarithm
  if (x < kFar) return std::log(0.5 * std::erfc(x / std::numbers::sqrt2));
  const double inverse = 1.0 / (x * x);
  const double series = 1.0 - inverse * (1.0 - 3.0 * inverse * (1.0 - 5.0 * inverse));
  return -0.5 * x * x - std::log(x) - 0.5 * std::log(2.0 * std::numbers::pi) + std::log(series);
}

/// Mean over the elements of each image, f64 [B].
Tensor mean_of_squares(const Tensor& x) {
  return mean(mul(x, x), {.axes = {1, 2, 3}});
}

}  // namespace

double normal_divergence(double squared_difference, double from_variance, double to_variance) {
  const double excess = (from_variance - to_variance) / to_variance;
  // excess - log(1 + excess) is never negative but for rounding.
  const double of_variances = std::max(0.0, 0.5 * (excess - std::log1p(excess)));
  return of_variances + squared_difference / (2.0 * to_variance);
}

double log_bin_probability(int64_t byte, double mean, double deviation) {
  double low = (2.0 * static_cast<double>(byte) - 1.0) / 255.0 - 1.0 - mean;
  double high = (2.0 * static_cast<double>(byte) + 1.0) / 255.0 - 1.0 - mean;
  if (byte == 0) return log_upper_tail(-high / deviation);
  if (byte == 255) return log_upper_tail(low / deviation);
  // In the half of the tail that is small, as the other one rounds to 1.
  if (low + high < 0.0) {
    std::swap(low, high);
    low = -low;
    high = -high;
  }
  const double of_low = log_upper_tail(low / deviation);
  const double of_high = log_upper_tail(high / deviation);
  return of_low + std::log1p(-std::exp(of_high - of_low));
}

VariationalBound::VariationalBound(NoiseSchedule schedule, DenoiseTarget target,
                                   const BoundOptions& options)
    : schedule_(std::move(schedule)), target_(target), options_(options) {
  DG_CHECK(schedule_.steps() >= 2, "bits-per-dim: the schedule has {} step, needs at least 2",
           schedule_.steps());
}

Tensor VariationalBound::prior(const Tensor& images) const {
  const double a = schedule_.alpha_bar(schedule_.steps() - 1);
  const Tensor squares = mean_of_squares(images.to(DType::f64));
  Tensor terms = Tensor::empty_like(squares);
  for (int64_t b = 0; b < terms.numel(); ++b) {
    terms.data<double>()[b] = normal_divergence(a * squares.data<double>()[b], 1.0 - a, 1.0);
  }
  return terms;
}

Tensor VariationalBound::step(const Denoiser& denoiser, const Tensor& images, const Tensor& noise,
                              int64_t t) const {
  const double a = schedule_.alpha_bar(t);
  const Tensor x = add(mul(images, std::sqrt(a)), mul(noise, std::sqrt(1.0 - a)));
  Tensor predicted = convert(x, denoiser(x, t), target_, DenoiseTarget::x0, a);
  if (options_.clip) predicted = clamp(predicted, -1.0, 1.0);
  predicted = predicted.to(DType::f64);
  if (t == 0) return decoder(images, predicted);
  // The mean of q(x_{t-1} | x_t, x0) is w x0 plus what it has of x_t.
  const double to = schedule_.alpha_bar(t - 1);
  const double beta = schedule_.beta(t);
  const double weight = std::sqrt(to) * beta / (1.0 - a);
  const double posterior = beta * (1.0 - to) / (1.0 - a);
  const double variance = options_.large_variance ? beta : posterior;
  const Tensor errors = mean_of_squares(sub(images.to(DType::f64), predicted));
  Tensor terms = Tensor::empty_like(errors);
  for (int64_t b = 0; b < terms.numel(); ++b) {
    const double squared = weight * weight * errors.data<double>()[b];
    terms.data<double>()[b] = normal_divergence(squared, posterior, variance);
  }
  return terms;
}

Tensor VariationalBound::decoder(const Tensor& images, const Tensor& predicted) const {
  // The variance of the first step is 0 by the formula of the others; Ho et al. take the second's.
  const double variance =
      schedule_.beta(1) * (1.0 - schedule_.alpha_bar(0)) / (1.0 - schedule_.alpha_bar(1));
  const double deviation = std::sqrt(variance);
  const Tensor exact = images.to(DType::f64).contiguous();
  const Tensor means = predicted.contiguous();
  Tensor terms = Tensor::zeros({images.size(0)}, DType::f64);
  const int64_t elements = images.numel() / std::max<int64_t>(images.size(0), 1);
  for (int64_t i = 0; i < images.numel(); ++i) {
    constexpr double kRounding = 1e-3;  // of a byte
    const double byte = (exact.data<double>()[i] + 1.0) * 127.5;
    const double nearest = std::round(byte);
    if (!(std::abs(byte - nearest) < kRounding && nearest >= 0.0 && nearest <= 255.0)) {
      fail(ErrorKind::data,
           "bits-per-dim: a value of {} is no byte in [-1, 1]; it needs a net that was trained "
           "with --normalization half",
           exact.data<double>()[i]);
    }
    terms.data<double>()[i / elements] -=
        log_bin_probability(static_cast<int64_t>(nearest), means.data<double>()[i], deviation);
  }
  for (int64_t b = 0; b < terms.numel(); ++b) {
    terms.data<double>()[b] /= static_cast<double>(elements);
  }
  return terms;
}

}  // namespace diagrad::train
