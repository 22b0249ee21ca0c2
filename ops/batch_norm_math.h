#pragma once

#include "diagrad/core/host_device.h"

namespace diagrad {

/// y = (x - centre) * scale + shift for one channel. The centre is the mean rounded to T, so that
/// x - centre is exact near the mean; the shift makes up for the rounding. That keeps y right
/// where the mean is much larger than the deviation.
template <typename T>
struct BatchNormAffine {
  T centre, scale, shift;

  BatchNormAffine() = default;
  DG_HOST_DEVICE BatchNormAffine(double mean, double inverse_std, double gamma, double beta)
      : centre(static_cast<T>(mean)),
        scale(static_cast<T>(gamma * inverse_std)),
        shift(static_cast<T>(beta + (static_cast<double>(centre) - mean) * gamma * inverse_std)) {}
};

/// dx = a * g + b * (x - centre) + c for one channel, from the sums over its N values of the
/// gradient g and of g * (x - centre); see docs/notes/batch_norm.md.
template <typename T>
struct BatchNormGradient {
  T a, b, c;
  double dgamma, dbeta;

  BatchNormGradient() = default;
  DG_HOST_DEVICE BatchNormGradient(double mean, double inverse_std, double gamma, double count,
                                   bool training, double sum_g, double sum_gx) {
    const double error = static_cast<double>(static_cast<T>(mean)) - mean;  // centre - mean
    dbeta = sum_g;
    dgamma = inverse_std * (sum_gx + error * sum_g);
    const double slope = training ? -gamma * inverse_std * inverse_std * dgamma / count : 0.0;
    const double offset = training ? -gamma * inverse_std * sum_g / count : 0.0;
    a = static_cast<T>(gamma * inverse_std);
    b = static_cast<T>(slope);
    c = static_cast<T>(offset + slope * error);
  }
};

}  // namespace diagrad
