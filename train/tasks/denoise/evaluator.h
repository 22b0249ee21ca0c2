#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/train/tasks/denoise/denoise.h"

namespace diagrad::train {

/// `count` different numbers in [0, size), rising; all of them where there are no more. A fixed
/// random choice, as sets may be sorted by class, or repeat their classes in order.
std::vector<int64_t> grid_images(int64_t size, int64_t count);
/// The middles of `count` equal parts of the steps, count <= schedule_steps.
std::vector<int64_t> grid_steps(int64_t schedule_steps, int64_t count);

/// The images of a batch whose numbers are in `wanted`, which is sorted, with their labels.
data::Batch chosen_images(const data::Batch& batch, const std::vector<int64_t>& wanted);

/// The loss over a fixed grid: each of grid_images() at each of grid_steps(), with noise that is a
/// function of image and step alone. So two evaluations differ by the weights only. The loss of an
/// image is its mean over the steps. A net that takes classes gets the true ones. Blocks: the loss
/// at each step; as many generated images as EvaluatorOptions::samples says, from noise that is the
/// same in every evaluation, by DDIM with DenoiseGrid::preview_steps steps.
class DenoiseEvaluator : public Evaluator {
 public:
  DenoiseEvaluator(const Diffusion& diffusion, const DenoiseGrid& grid,
                   const EvaluatorOptions& options);

  /// Images outside the grid are passed over.
  void add(nn::Module& model, const data::Batch& batch) override;
  const MetricSums& sums() const override { return sums_; }
  std::vector<Block> blocks() const override;

 private:
  Gallery generated(nn::Module& model, const Tensor& like) const;
  std::string class_name(int64_t label) const;

  Diffusion diffusion_;
  EvaluatorOptions options_;
  int64_t preview_steps_;
  std::vector<int64_t> images_;
  std::vector<int64_t> steps_;
  MetricSums sums_;
  std::optional<Gallery> gallery_;
  std::vector<double> step_sums_;  ///< over the images, at each step of the grid
};

}  // namespace diagrad::train
