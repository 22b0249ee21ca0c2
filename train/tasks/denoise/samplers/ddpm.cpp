#include <cmath>

#include "diagrad/train/tasks/denoise/sampler.h"

namespace diagrad::train {
namespace {

/// The mean of q(x' | x, x0) and a fixed variance; for a move from a to b, with beta = 1 - a / b:
///
///     mean = sqrt(b) beta / (1 - a) x0 + sqrt(a / b) (1 - b) / (1 - a) x
///     variance = (1 - b) / (1 - a) beta (small), beta (large); 0 at the last move
class Ddpm : public Sampler {
 public:
  explicit Ddpm(bool large) : large_(large) {}

  SamplerWeights weights(const SamplerMove& move) const override {
    const double a = move.from;
    const double b = move.to;
    const double beta = 1.0 - a / b;
    SamplerWeights weights;
    weights.x = std::sqrt(a / b) * (1.0 - b) / (1.0 - a);
    weights.x0 = std::sqrt(b) * beta / (1.0 - a);
    const double variance = large_ ? beta : (1.0 - b) / (1.0 - a) * beta;
    weights.noise = b < 1.0 ? std::sqrt(variance) : 0.0;
    return weights;
  }

 private:
  bool large_;
};

[[maybe_unused]] const bool registered = register_sampler(
    {.name = "ddpm",
     .help = "the reverse of the noising process, with noise at every step but the last",
     .citation = "Ho, Jain and Abbeel, NeurIPS 2020, algorithm 2",
     .options = {choice_option("variance", {"small", "large"},
                               "of the noise: that of the posterior, or beta")},
     .make = [](const OptionValues& options) {
       return std::make_shared<Ddpm>(options.get_choice("variance") == "large");
     }});

}  // namespace
}  // namespace diagrad::train
