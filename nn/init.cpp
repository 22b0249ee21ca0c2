#include "diagrad/nn/init.h"

#include <cmath>

#include "diagrad/core/error.h"

namespace diagrad::nn::init {

Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, RandomStream& random) {
  DG_CHECK(fan_in > 0, "init: fan-in {} of a weight {} is not positive", fan_in, shape);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return uniform(shape, -bound, bound, random);
}

Tensor kaiming_normal(const Shape& shape, int64_t fan, RandomStream& random) {
  DG_CHECK(fan > 0, "init: fan {} of a weight {} is not positive", fan, shape);
  return normal(shape, 0.0, std::sqrt(2.0 / static_cast<double>(fan)), random);
}

Tensor xavier_uniform(const Shape& shape, int64_t fan_in, int64_t fan_out, RandomStream& random) {
  DG_CHECK(fan_in + fan_out > 0, "init: fans {} and {} of a weight {} are not positive", fan_in,
           fan_out, shape);
  const double bound = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  return uniform(shape, -bound, bound, random);
}

Tensor truncated_normal(const Shape& shape, double standard_deviation, RandomStream& random) {
  const Tensor result = Tensor::empty(shape);
  for (int64_t i = 0; i < result.numel(); ++i) {
    double value = random.normal();
    while (std::abs(value) > 2.0) value = random.normal();
    result.data<float>()[i] = static_cast<float>(standard_deviation * value);
  }
  return result;
}

}  // namespace diagrad::nn::init
