#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "diagrad/train/tasks/denoise/bound.h"
#include "diagrad/train/tasks/denoise/denoise.h"

namespace diagrad::train {

/// The variational bound of images in bits per dimension, over all steps of the schedule: mean and
/// standard error over a fixed random choice of images, each with noise of its own at each step. A
/// net that takes classes gets the true ones. The loss is the same in nats.
class BitsPerDimension : public Denoise {
 public:
  BitsPerDimension(const Diffusion& diffusion, int64_t images, const BoundOptions& options);

  const std::vector<Metric>& metrics() const override;
  std::vector<double> values(const MetricSums& sums) const override;
  std::unique_ptr<Evaluator> evaluator(const EvaluatorOptions& options) const override;

 private:
  int64_t images_;
  BoundOptions options_;
};

/// `--measure bits-per-dim:...`
Measure bits_per_dimension_measure();

}  // namespace diagrad::train
