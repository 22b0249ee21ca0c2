#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/train/tasks/denoise/diffusion.h"
#include "diagrad/train/tasks/denoise/sampling.h"
#include "diagrad/train/tasks/generator.h"

namespace diagrad::train {

/// `steps`, `sampler`, `spacing`, `guidance`, `class`, `no-clip`.
std::vector<Option> denoise_generator_options();

/// Images by sample(). A net that takes classes gets those of the option `class` in turn, or all of
/// its classes. The last bits of what a net gives for an image depend on the size of the batch, by
/// which linear layers and convolutions choose their kernels. So images are made in groups: number
/// n among the kGroup from n - n % kGroup on, whichever of them are wanted.
class DenoiseGenerator : public Generator {
 public:
  static constexpr int64_t kGroup = 16;

  /// Throws Error(usage) for more steps than the schedule has, for classes and a guidance that the
  /// net cannot serve.
  DenoiseGenerator(nn::Module& net, Diffusion diffusion, const GeneratorOptions& options);

  std::vector<uint8_t> generate(int64_t first, int64_t count) override;
  std::optional<int64_t> label(int64_t image) const override;
  std::string text() const override;

 private:
  void make_group(int64_t number);

  nn::Module& net_;
  Diffusion diffusion_;
  GeneratorOptions options_;
  std::vector<int64_t> classes_;  ///< in turn; empty: the net takes none
  std::shared_ptr<const Sampler> sampler_;
  int64_t group_ = -1;           ///< the one that was made last
  std::vector<uint8_t> pixels_;  ///< of its images
};

}  // namespace diagrad::train
