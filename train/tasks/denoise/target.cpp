#include "diagrad/train/tasks/denoise/target.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/ops/binary.h"
#include "diagrad/train/tasks/denoise/schedule.h"

namespace diagrad::train {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"epsilon", "v", "x0"};

/// From `from` to x0, with signal = sqrt(a) and noise = sqrt(1 - a); likewise below.
Conversion to_x0(DenoiseTarget from, double signal, double noise) {
  if (from == DenoiseTarget::v) return {signal, -noise};
  return {1.0 / signal, -noise / signal};
}

Conversion to_epsilon(DenoiseTarget from, double signal, double noise) {
  if (from == DenoiseTarget::v) return {noise, signal};
  return {1.0 / noise, -signal / noise};
}

Conversion to_v(DenoiseTarget from, double signal, double noise) {
  if (from == DenoiseTarget::x0) return {signal / noise, -1.0 / noise};
  return {-noise / signal, 1.0 / signal};
}

}  // namespace

std::string_view name(DenoiseTarget target) {
  return kNames.at(static_cast<size_t>(target));
}

DenoiseTarget parse_denoise_target(std::string_view text) {
  const auto found = std::find(kNames.begin(), kNames.end(), text);
  DG_CHECK(found != kNames.end(), "denoise: target '{}' is none of epsilon, v, x0", text);
  return static_cast<DenoiseTarget>(found - kNames.begin());
}

Conversion conversion(DenoiseTarget from, DenoiseTarget to, double alpha_bar) {
  DG_CHECK(alpha_bar >= 0.0 && alpha_bar < 1.0, "denoise: alpha-bar {} is outside [0, 1)",
           alpha_bar);
  if (from == to) return {0.0, 1.0};
  DG_CHECK(
      from != DenoiseTarget::epsilon || alpha_bar > 0.0,
      "denoise: epsilon says nothing of the image where the signal-to-noise ratio is zero; use "
      "target v or x0");
  const double signal = std::sqrt(alpha_bar);
  const double noise = std::sqrt(1.0 - alpha_bar);
  switch (to) {
    case DenoiseTarget::epsilon:
      return to_epsilon(from, signal, noise);
    case DenoiseTarget::v:
      return to_v(from, signal, noise);
    case DenoiseTarget::x0:
      break;
  }
  return to_x0(from, signal, noise);
}

Tensor convert(const Tensor& x, const Tensor& output, DenoiseTarget from, DenoiseTarget to,
               double alpha_bar) {
  if (from == to) return output;
  const Conversion weights = conversion(from, to, alpha_bar);
  return add(mul(x, weights.image), mul(output, weights.output));
}

double min_snr_weight(DenoiseTarget target, double alpha_bar, double gamma) {
  if (gamma == 0.0) return 1.0;
  const double snr = snr_of(alpha_bar);
  switch (target) {
    case DenoiseTarget::epsilon:
      return snr <= gamma ? 1.0 : gamma / snr;  // also where snr is 0
    case DenoiseTarget::v:
      return std::min(snr, gamma) / (snr + 1.0);
    case DenoiseTarget::x0:
      break;
  }
  return std::min(snr, gamma);
}

}  // namespace diagrad::train
