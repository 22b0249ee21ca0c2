#include <cmath>

#include "diagrad/train/tasks/denoise/sampler.h"

namespace diagrad::train {
namespace {

/// log(sqrt(a) / sqrt(1 - a)); minus infinity for a = 0.
double half_log_snr(double a) {
  return 0.5 * (std::log(a) - std::log1p(-a));
}

/// With lambda = log(sqrt(a) / sqrt(1 - a)) and h = lambda(b) - lambda(a) for a move from a to b:
///
///     x' = sqrt((1 - b) / (1 - a)) x + w D        w = sqrt(b) (1 - e^-h)
///     D = x0 + h / (2 h_before) (x0 - x0_before)
///
/// D = x0 at the first move and at the last one, where h is infinite. Written without e^-h, w is
/// finite there too.
class DpmSolverPlusPlus : public Sampler {
 public:
  SamplerWeights weights(const SamplerMove& move) const override {
    const double a = move.from;
    const double b = move.to;
    SamplerWeights weights;
    weights.x = std::sqrt((1.0 - b) / (1.0 - a));
    const double whole = std::sqrt(b) - weights.x * std::sqrt(a);
    // Before a move from a = 0 lies an infinite h_before: the share is 0 there.
    const double share = move.before && b < 1.0
                             ? (half_log_snr(b) - half_log_snr(a)) /
                                   (2.0 * (half_log_snr(a) - half_log_snr(*move.before)))
                             : 0.0;
    weights.x0 = whole * (1.0 + share);
    weights.x0_before = -whole * share;
    return weights;
  }
};

[[maybe_unused]] const bool registered = register_sampler(
    {.name = "dpm-solver++",
     .help = "deterministic, second order by the prediction of the step before (2M)",
     .citation = "Lu et al., 2022, algorithm 2",
     .make = [](const OptionValues& /*options*/) {
       return std::make_shared<DpmSolverPlusPlus>();
     }});

}  // namespace
}  // namespace diagrad::train
