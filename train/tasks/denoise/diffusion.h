#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/tensor.h"
#include "diagrad/data/batch.h"
#include "diagrad/train/tasks/denoise/sampling.h"
#include "diagrad/train/tasks/denoise/schedule.h"
#include "diagrad/train/tasks/denoise/target.h"

namespace diagrad::nn {
class Module;
}

namespace diagrad::train {

/// The preset that images are trained with, and made in: to [-1, 1].
inline constexpr const char* kDenoiseNormalization = "half";

/// What a denoiser is trained on.
struct Diffusion {
  NoiseSchedule schedule;
  DenoiseTarget target = DenoiseTarget::epsilon;
  double min_snr = 0.0;        ///< gamma of min_snr_weight; 0: every step weighs 1
  double label_dropout = 0.0;  ///< probability that an image is trained with the null class
};

/// The task's options that describe it, in the order of --help.
std::vector<Option> diffusion_options();
/// Throws Error(usage) for epsilon with zero terminal SNR.
Diffusion make_diffusion(const OptionValues& options);

/// What a training batch draws, by the next keys of the nn::RandomScope: one for the steps, image b
/// taking the number b of its stream, one for the noise. Steps are uniform over the schedule.
struct TrainingDraw {
  std::vector<int64_t> steps;  ///< [B]
  Tensor noise;                ///< of the shape and dtype of the images
};
TrainingDraw draw_training(const Tensor& images, int64_t schedule_steps);

/// Images [B,H,W,C] at one step each.
struct NoisyImages {
  Tensor x;       ///< sqrt(a) images + sqrt(1 - a) noise
  Tensor target;  ///< what the net should give
  Tensor time;    ///< the steps [B] in the dtype of the images
};
NoisyImages add_noise(const Diffusion& diffusion, const Tensor& images,
                      std::span<const int64_t> steps, const Tensor& noise);

/// Mean over the images of weight times mean squared error, the weights by min_snr_weight.
Tensor weighted_mse(const Diffusion& diffusion, const Tensor& output, const Tensor& target,
                    std::span<const int64_t> steps);

/// The target `label` of a batch for a net that takes classes; undefined for others. Throws
/// Error(data) where the batch has none, or one that the net has no class for.
Tensor class_labels(const nn::Module& net, const data::Batch& batch);
/// A copy in which each label became the null class with that probability: one draw for each image,
/// by the next key of the nn::RandomScope.
Tensor drop_labels(const nn::Module& net, const Tensor& labels, double probability);

/// A net that was trained so as a denoiser of B images. labels [B] in [0, K), or empty for a net
/// that takes no class; guidance as in guided(), other than 1 for a net that was trained with label
/// dropout. Throws Error(usage) for labels or a guidance that the net cannot serve. The net is
/// used, not owned.
Denoiser net_denoiser(nn::Module& net, const Diffusion& diffusion, std::span<const int64_t> labels,
                      double guidance);

}  // namespace diagrad::train
