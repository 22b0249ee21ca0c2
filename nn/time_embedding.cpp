#include "diagrad/nn/time_embedding.h"

#include <cmath>

#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/activation.h"

namespace diagrad::nn {
namespace {

constexpr double kLongestPeriod = 10000.0;

template <typename T>
void fill_features(const Tensor& times, const TimeFeaturesSpec& spec, const Tensor& features) {
  const int64_t half = spec.width / 2;
  const bool sin_first = spec.order == TimeOrder::sin_cos;
  const int64_t sin_start = sin_first ? 0 : half;
  const int64_t cos_start = sin_first ? half : 0;
  const double rate = -std::log(kLongestPeriod) / static_cast<double>(half - spec.frequency_shift);
  for (int64_t b = 0; b < times.size(0); ++b) {
    const auto time = static_cast<double>(times.data<T>()[b]);
    T* const row = features.data<T>() + b * spec.width;
    for (int64_t i = 0; i < half; ++i) {
      const double angle = time * std::exp(rate * static_cast<double>(i));
      row[sin_start + i] = static_cast<T>(std::sin(angle));
      row[cos_start + i] = static_cast<T>(std::cos(angle));
    }
  }
}

}  // namespace

Tensor time_features(const Tensor& times, const TimeFeaturesSpec& spec) {
  DG_CHECK(spec.width >= 4 && spec.frequency_shift >= 0 && spec.frequency_shift < spec.width / 2,
           "time_features: width {} with a frequency shift of {}; the width must be at least 4, "
           "the shift in [0, {})",
           spec.width, spec.frequency_shift, spec.width / 2);
  DG_CHECK(times.rank() == 1, "time_features: needs times [B], got shape {}", times.shape());
  DG_CHECK(!times.requires_grad(), "time_features: times {} require gradients, but get none",
           times.shape());
  const Tensor features = Tensor::zeros({times.size(0), spec.width}, times.dtype());
  dispatch_floating(times.dtype(), "time_features", [&](auto tag) {
    fill_features<typename decltype(tag)::type>(times.contiguous(), spec, features);
  });
  return features;
}

TimeEmbedding::TimeEmbedding(const TimeEmbeddingSpec& spec, RandomStream& random)
    : linear_1_(add("linear_1", Linear({spec.features, spec.width}, random))),
      linear_2_(add("linear_2", Linear({spec.width, spec.width}, random))) {}

Tensor TimeEmbedding::forward(const Tensor& features) {
  return linear_2_->forward(silu(linear_1_->forward(features)));
}

}  // namespace diagrad::nn
