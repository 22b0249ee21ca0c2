#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/train/tasks/denoise/sampler.h"
#include "diagrad/train/tasks/denoise/schedule.h"
#include "diagrad/train/tasks/denoise/target.h"

namespace diagrad::train {

/// Which S of the T steps of a schedule a sampler visits, i = 0 to S - 1:
enum class Spacing {
  leading,   ///< floor(i T / S): has step 0, not step T - 1 where S < T
  linspace,  ///< i (T - 1) / (S - 1), rounded: has both ends; T - 1 alone for S = 1
  trailing,  ///< T - i T / S, rounded, minus 1: has step T - 1
};

/// "leading", "linspace", "trailing"
std::string_view name(Spacing spacing);
/// Throws for other texts.
Spacing parse_spacing(std::string_view text);

/// The steps in the order in which they are visited: falling strictly. Throws Error(usage) unless
/// 1 <= steps <= schedule_steps.
std::vector<int64_t> sampling_steps(int64_t schedule_steps, int64_t steps, Spacing spacing);

/// What a net gives, its target, for noisy images x [B,H,W,C] at step t of the schedule: in the
/// shape and dtype of x.
using Denoiser = std::function<Tensor(const Tensor& x, int64_t t)>;

/// unconditional + guidance (conditional - unconditional). Guidance 1 is the conditional denoiser,
/// 0 the unconditional one, bit for bit, and the other is not called. `unconditional` may be empty,
/// of a net that learned no null class: Error(usage) then for a guidance other than 1.
Denoiser guided(Denoiser conditional, Denoiser unconditional, double guidance);

/// Standard normal noise [B, image...]: for each image a function of `purpose`, the seed, the
/// number of the image and `draw` alone, so that neither batches nor threads change it.
Tensor image_noise(std::string_view purpose, uint64_t seed, std::span<const int64_t> images,
                   uint64_t draw, const Shape& image, DType dtype);

struct SamplingOptions {
  Shape image = {};                  ///< [H,W,C] of one image
  std::vector<int64_t> images = {};  ///< B numbers: which noise each image of the batch gets
  uint64_t seed = 0;
  int64_t steps = 50;
  Spacing spacing = Spacing::trailing;
  bool clip = true;  ///< predictions of x0 to [-1, 1]
  DType dtype = DType::f32;
};

/// B images [B,H,W,C] by a denoiser of a schedule: from noise of draw 0 over sampling_steps() to
/// the clean image; move k, counted from 1, takes the noise of draw k (image_noise of purpose
/// "sample"). Without a graph. Throws for steps that the schedule does not have, and for an output
/// of another shape.
Tensor sample(const Denoiser& denoiser, DenoiseTarget target, const NoiseSchedule& schedule,
              const Sampler& sampler, const SamplingOptions& options);

}  // namespace diagrad::train
