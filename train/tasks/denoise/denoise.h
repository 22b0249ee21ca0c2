#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "diagrad/train/tasks/denoise/diffusion.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {

/// How many images and steps of the schedule an evaluation takes.
struct DenoiseGrid {
  int64_t images = 256;
  int64_t times = 10;
  int64_t preview_steps = 50;  ///< of DDIM, at most the schedule's, for the images in the report;
                               ///< 0: none
};

/// Image generation by diffusion: a net learns to give the target of a noisy image at a random
/// step. Its only figure is the loss; an evaluation takes it over a fixed grid (evaluator.h).
class Denoise : public Task {
 public:
  /// Throws Error(usage) for a grid with more times than the schedule has steps.
  Denoise(Diffusion diffusion, const DenoiseGrid& grid);

  const std::vector<Metric>& metrics() const override;
  std::vector<double> values(const MetricSums& sums) const override;
  /// The channels of an image. Throws for another number of classes.
  int64_t outputs(const data::DatasetInfo& info, int64_t classes) const override;
  /// At the middle step, without a class.
  Tensor call(nn::Module& model, const data::Batch& batch) const override;
  TaskStep forward(nn::Module& model, const data::Batch& batch) const override;
  std::unique_ptr<Evaluator> evaluator(const EvaluatorOptions& options) const override;
  std::unique_ptr<Generator> generator(nn::Module& model,
                                       const GeneratorOptions& options) const override;

  /// For who samples from a net that was trained so.
  const Diffusion& diffusion() const { return diffusion_; }

 private:
  Diffusion diffusion_;
  DenoiseGrid grid_;
};

}  // namespace diagrad::train
