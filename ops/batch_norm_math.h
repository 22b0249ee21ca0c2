#pragma once

#include <cmath>

#include "diagrad/core/host_device.h"

namespace diagrad {

/// pivot - mean for a pivot that is the mean rounded to T; 0 where both are infinite.
template <typename T>
DG_HOST_DEVICE inline double pivot_error(T pivot, double mean) {
  const auto value = static_cast<double>(pivot);
  return value == mean ? 0.0 : value - mean;
}

/// y = (x - pivot) * scale + shift for one channel. The pivot is the mean rounded to T, so that
/// x - pivot is exact near the mean; the shift makes up for the rounding. That keeps y right
/// where the mean is much larger than the deviation. Beside an infinite scale the rounding does not
/// count: 0 times infinity would be NaN.
template <typename T>
struct BatchNormAffine {
  T pivot, scale, shift;

  BatchNormAffine() = default;
  DG_HOST_DEVICE BatchNormAffine(double mean, double rstd, double gamma, double beta)
      : pivot(static_cast<T>(mean)),
        scale(static_cast<T>(gamma * rstd)),
        shift(static_cast<T>(std::isfinite(gamma) ? beta + pivot_error(pivot, mean) * gamma * rstd
                                                  : beta)) {}
};

/// dx = a * g + b * (x - pivot) + c for one channel, from the sums over its N values of the
/// gradient g and of g * (x - pivot); see docs/notes/batch_norm.md.
template <typename T>
struct BatchNormGradient {
  T a, b, c;
  double dgamma, dbeta;

  BatchNormGradient() = default;
  DG_HOST_DEVICE BatchNormGradient(double mean, double rstd, double gamma, double count,
                                   bool training, double sum_g, double sum_gx) {
    const double error = pivot_error(static_cast<T>(mean), mean);
    dbeta = sum_g;
    dgamma = rstd * (std::isfinite(sum_g) ? sum_gx + error * sum_g : sum_gx);
    const double slope = training ? -gamma * rstd * rstd * dgamma / count : 0.0;
    const double offset = training ? -gamma * rstd * sum_g / count : 0.0;
    a = static_cast<T>(gamma * rstd);
    b = static_cast<T>(slope);
    c = static_cast<T>(offset + slope * error);
  }
};

}  // namespace diagrad
