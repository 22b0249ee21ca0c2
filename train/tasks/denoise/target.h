#pragma once

#include <cstdint>
#include <string_view>

#include "diagrad/core/tensor.h"

namespace diagrad::train {

/// What a net gives for a noisy image x = sqrt(a) x0 + sqrt(1 - a) e of noise level a = alpha-bar.
enum class DenoiseTarget {
  epsilon,  ///< e, the noise
  v,        ///< sqrt(a) e - sqrt(1 - a) x0 (Salimans and Ho 2022)
  x0,       ///< the clean image
};

/// "epsilon", "v", "x0"
std::string_view name(DenoiseTarget target);
/// Throws for other texts.
DenoiseTarget parse_denoise_target(std::string_view text);

/// image_weight * image + output_weight * output
struct Conversion {
  double image = 0.0;
  double output = 0.0;
};

/// How one target follows from another at a noisy image x of level a, 0 <= a < 1: linearly in x and
/// the output, by the table of the note "Diffusion". Throws from epsilon for a = 0, where x is
/// noise alone and says nothing of x0.
Conversion conversion(DenoiseTarget from, DenoiseTarget to, double alpha_bar);
/// The same of whole tensors of one shape; equal targets give `output` itself. Keeps nothing.
Tensor convert(const Tensor& x, const Tensor& output, DenoiseTarget from, DenoiseTarget to,
               double alpha_bar);

/// The weight of the squared error of a target at noise level a, with snr = a / (1 - a):
/// min(snr, gamma) / snr for epsilon, min(snr, gamma) / (snr + 1) for v, min(snr, gamma) for x0
/// (Hang et al. 2023). Each is the loss min(snr, gamma) |x0 error|^2. gamma 0: weight 1.
double min_snr_weight(DenoiseTarget target, double alpha_bar, double gamma);

}  // namespace diagrad::train
