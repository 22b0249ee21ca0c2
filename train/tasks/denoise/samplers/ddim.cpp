#include <algorithm>
#include <cmath>

#include "diagrad/train/tasks/denoise/sampler.h"

namespace diagrad::train {
namespace {

/// x' = sqrt(b) x0 + sqrt(1 - b - s^2) e + s z, e the noise that x and x0 imply, with
/// s = eta sqrt((1 - b) / (1 - a)) sqrt(1 - a / b) for a move from a to b.
class Ddim : public Sampler {
 public:
  explicit Ddim(double eta) : eta_(eta) {}

  SamplerWeights weights(const SamplerMove& move) const override {
    const double a = move.from;
    const double b = move.to;
    // s^2 = (1 - b) share; share is at most eta^2, up to rounding.
    const double share = eta_ * eta_ * (1.0 - a / b) / (1.0 - a);
    SamplerWeights weights;
    weights.x = std::sqrt((1.0 - b) * std::max(0.0, 1.0 - share) / (1.0 - a));
    weights.x0 = std::sqrt(b) - weights.x * std::sqrt(a);
    weights.noise = std::sqrt((1.0 - b) * share);
    return weights;
  }

 private:
  double eta_;
};

[[maybe_unused]] const bool registered = register_sampler(
    {.name = "ddim",
     .help = "deterministic where eta is 0; eta 1 is ddpm:variance=small",
     .citation = "Song, Meng and Ermon, ICLR 2021, equation 12",
     .options = {float_option("eta", 0.0, 0.0, 1.0, "how much of the variance of ddpm is drawn")},
     .make = [](const OptionValues& options) {
       return std::make_shared<Ddim>(options.get_float("eta"));
     }});

}  // namespace
}  // namespace diagrad::train
