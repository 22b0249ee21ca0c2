#pragma once

#include <cstdint>
#include <memory>

#include "diagrad/core/random.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

/// Which half of the features comes first.
enum class TimeOrder { sin_cos, cos_sin };

struct TimeFeaturesSpec {
  int64_t width = 0;  ///< D, at least 4
  TimeOrder order = TimeOrder::sin_cos;
  int64_t frequency_shift = 1;  ///< below D / 2
};

/// Sinusoidal features of steps of diffusion, times t [B] to [B,D] in their dtype (f32 or f64):
/// with half = D / 2, rounded down, and w_i = 10000^(-i / (half - frequency_shift))
///
///   sin(w_0 t), ..., sin(w_(half-1) t), cos(w_0 t), ..., cos(w_(half-1) t)
///
/// and a 0 at the end where D is odd. Computed in double precision, then rounded. Times get no
/// gradient. Throws for other shapes and dtypes, for times that require gradients and for a spec
/// out of range. Source: Ho, Jain, Abbeel, "Denoising diffusion probabilistic models",
/// NeurIPS 2020, code; diffusers, embeddings.py.
Tensor time_features(const Tensor& times, const TimeFeaturesSpec& spec);

struct TimeEmbeddingSpec {
  int64_t features = 0;  ///< I
  int64_t width = 0;     ///< O
};

/// linear_2(silu(linear_1(x))), features [B,I] to [B,O]. Names are diffusers'.
class TimeEmbedding : public Module {
 public:
  TimeEmbedding(const TimeEmbeddingSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& features) override;

 private:
  std::shared_ptr<Linear> linear_1_, linear_2_;
};

}  // namespace diagrad::nn
