#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"
#include "diagrad/train/tasks/denoise/sampling.h"

namespace diagrad::train {

/// KL(N(m1, v1) || N(m2, v2)) in nats, of (m1 - m2)^2 and the two variances; never below 0.
double normal_divergence(double squared_difference, double from_variance, double to_variance);

/// log P(byte) of a normal distribution over [-1, 1] in which each of the 256 values of a pixel is
/// a bin of width 2/255, and the first and last one reach to infinity (Ho et al. 2020, equation
/// 13). Exact far outside, too, where P itself would be 0.
double log_bin_probability(int64_t byte, double mean, double deviation);

struct BoundOptions {
  bool large_variance = false;  ///< of a step back: beta, else that of q(x_{t-1} | x_t, x0)
  bool clip = true;             ///< predictions of x0 to [-1, 1]
};

/// The terms of the variational bound on -log p(x0) of u8 images, Ho et al. 2020: formulas in the
/// note "Diffusion". Each is in nats per element of the image, f64 [B], and never below 0. Needs at
/// least two steps.
class VariationalBound {
 public:
  VariationalBound(NoiseSchedule schedule, DenoiseTarget target, const BoundOptions& options);

  /// KL of x_{T-1}, given the image, from noise. images: [B,H,W,C] in [-1, 1].
  Tensor prior(const Tensor& images) const;
  /// Step t, estimated with `noise` of the shape of the images: KL of the step back for t > 0, the
  /// discretised decoder for t = 0. Throws Error(data) there for images that are not those of u8.
  Tensor step(const Denoiser& denoiser, const Tensor& images, const Tensor& noise, int64_t t) const;

 private:
  Tensor decoder(const Tensor& images, const Tensor& predicted) const;

  NoiseSchedule schedule_;
  DenoiseTarget target_;
  BoundOptions options_;
};

}  // namespace diagrad::train
