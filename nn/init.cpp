#include "diagrad/nn/init.h"

#include <cmath>

#include "diagrad/core/error.h"

namespace diagrad::nn::init {
namespace {

double variance(const Shape& shape, double factor, int64_t fan) {
  DG_CHECK(fan > 0, "init: fan {} of a weight {} is not positive", fan, shape);
  DG_CHECK(factor >= 0.0, "init: factor {} of a variance is negative, weight {}", factor, shape);
  return factor / static_cast<double>(fan);
}

Tensor uniform_of(const Shape& shape, double variance, RandomStream& random) {
  const double bound = std::sqrt(3.0 * variance);
  return uniform(shape, -bound, bound, random);
}

}  // namespace

Fans fans_of(const Shape& weight) {
  DG_CHECK(weight.rank() >= 2, "init: a weight {} has no fans; it needs the form [O,...,I]",
           weight);
  const int64_t taps = weight.numel(1, weight.rank() - 1);
  return {taps * weight[weight.rank() - 1], taps * weight[0]};
}

Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, RandomStream& random) {
  DG_CHECK(fan_in > 0, "init: fan {} of a weight {} is not positive", fan_in, shape);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return uniform(shape, -bound, bound, random);
}

Tensor kaiming_normal(const Shape& shape, int64_t fan, RandomStream& random, double factor) {
  return normal(shape, 0.0, std::sqrt(variance(shape, factor, fan)), random);
}

Tensor kaiming_uniform(const Shape& shape, int64_t fan, RandomStream& random, double factor) {
  return uniform_of(shape, variance(shape, factor, fan), random);
}

Tensor xavier_normal(const Shape& shape, Fans fans, RandomStream& random, double factor) {
  const double spread = variance(shape, 2.0 * factor, fans.in + fans.out);
  return normal(shape, 0.0, std::sqrt(spread), random);
}

Tensor xavier_uniform(const Shape& shape, Fans fans, RandomStream& random, double factor) {
  return uniform_of(shape, variance(shape, 2.0 * factor, fans.in + fans.out), random);
}

Tensor truncated_normal(const Shape& shape, double standard_deviation, RandomStream& random,
                        double cut) {
  DG_CHECK(standard_deviation >= 0.0 && cut >= 0.1,
           "truncated_normal: standard deviation {} cut at {} of it; the first must not be "
           "negative, the second be at least 0.1",
           standard_deviation, cut);
  Tensor result = Tensor::empty(shape);
  for (int64_t i = 0; i < result.numel(); ++i) {
    double value = random.normal();
    while (std::abs(value) > cut) value = random.normal();
    result.data<float>()[i] = static_cast<float>(standard_deviation * value);
  }
  return result;
}

Tensor transformer_normal(const Shape& shape, RandomStream& random) {
  return truncated_normal(shape, 0.02, random, 100.0);
}

}  // namespace diagrad::nn::init
