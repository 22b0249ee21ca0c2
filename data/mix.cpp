#include "diagrad/data/mix.h"

#include <algorithm>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"

namespace diagrad::data {
namespace {

constexpr int64_t kGrain = 4;  // images that are worth a thread

/// The logarithm of a Gamma(alpha, 1) variate: that of Gamma(alpha + 1, 1) by Marsaglia and Tsang
/// (2000), times u^(1/alpha). The variate itself underflows for small alpha.
double log_gamma_variate(double alpha, RandomStream& random) {
  const double d = alpha + 2.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = random.normal();
    const double root = 1.0 + c * x;
    const double log_u = std::log(1.0 - random.uniform());
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (log_u >= 0.5 * x * x + d - d * v + d * std::log(v)) continue;
    return std::log(d * v) + std::log(1.0 - random.uniform()) / alpha;
  }
}

/// Beta(alpha, alpha), as the share of one of two gamma variates in their sum.
double beta_variate(double alpha, RandomStream& random) {
  const double a = log_gamma_variate(alpha, random);
  const double b = log_gamma_variate(alpha, random);
  return 1.0 / (1.0 + std::exp(b - a));
}

/// Where a box of `length` around `centre` begins and ends in [0, size).
void clip(int64_t centre, int64_t length, int64_t size, int64_t& begin, int64_t& end) {
  begin = std::clamp<int64_t>(centre - length / 2, 0, size);
  end = std::clamp<int64_t>(centre + length / 2, 0, size);
}

/// Writes the mixture of one image; `own` and `partner` are [H,W,C].
void mix_image(const MixDraw& draw, const ImageSize& size, int64_t channels, const float* own,
               const float* partner, float* out) {
  const int64_t row = size.width * channels;
  if (!draw.is_cutmix) {
    const auto own_share = static_cast<float>(draw.own_share);
    const auto rest = static_cast<float>(1.0 - draw.own_share);
    for (int64_t i = 0; i < size.height * row; ++i) out[i] = own_share * own[i] + rest * partner[i];
    return;
  }
  std::copy_n(own, size.height * row, out);
  for (int64_t y = draw.top; y < draw.bottom; ++y) {
    const int64_t first = y * row + draw.left * channels;
    std::copy_n(partner + first, (draw.right - draw.left) * channels, out + first);
  }
}

}  // namespace

MixDraw draw_mix(const MixOptions& options, const ImageSize& size, int64_t number) {
  DG_CHECK(options.is_on(), "mix: mixup and cutmix are both 0");
  RandomStream random(options.seed, stream_id("mix", static_cast<uint64_t>(number)));
  MixDraw draw;
  // Drawn in any case, so that an alpha of 0 does not move the other draws.
  const bool is_chosen = random.uniform() < options.cutmix_share;
  draw.is_cutmix = options.cutmix > 0.0 && (options.mixup == 0.0 || is_chosen);
  draw.own_share = beta_variate(draw.is_cutmix ? options.cutmix : options.mixup, random);
  if (!draw.is_cutmix) return draw;
  const double side = std::sqrt(1.0 - draw.own_share);
  const auto height = static_cast<int64_t>(static_cast<double>(size.height) * side);
  const auto width = static_cast<int64_t>(static_cast<double>(size.width) * side);
  clip(random.below(size.height), height, size.height, draw.top, draw.bottom);
  clip(random.below(size.width), width, size.width, draw.left, draw.right);
  const auto area = static_cast<double>((draw.bottom - draw.top) * (draw.right - draw.left));
  draw.own_share = 1.0 - area / static_cast<double>(size.height * size.width);
  return draw;
}

Batch mix(const Batch& batch, const MixOptions& options, int64_t number) {
  const Tensor& images = batch.images;
  DG_CHECK(images.rank() == 4 && images.dtype() == DType::f32 && images.is_contiguous(),
           "mix: images are {} {}, expected contiguous f32 [B,H,W,C]", images.dtype(),
           images.shape());
  const ImageSize size{images.size(1), images.size(2)};
  const int64_t channels = images.size(3);
  const int64_t values = size.height * size.width * channels;
  const int64_t count = images.size(0);
  const MixDraw draw = draw_mix(options, size, number);
  Batch mixed = batch;
  mixed.own_share = draw.own_share;
  mixed.images = Tensor::empty(images.shape());
  const float* from = images.data<float>();
  float* to = mixed.images.data<float>();
  parallel_for(count, kGrain, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) {
      const int64_t partner = count - 1 - b;
      if (b == partner) {
        std::copy_n(from + b * values, values, to + b * values);
      } else {
        mix_image(draw, size, channels, from + b * values, from + partner * values,
                  to + b * values);
      }
    }
  });
  return mixed;
}

}  // namespace diagrad::data
