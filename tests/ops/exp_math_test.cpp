#include "diagrad/ops/exp_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace diagrad {
namespace {

/// |value - exact| in units of the last place of a float near `exact`.
double ulps(float value, double exact) {
  const auto near = static_cast<float>(std::abs(exact));
  const double unit =
      static_cast<double>(std::nextafter(near, std::numeric_limits<float>::infinity()) - near);
  return std::abs(static_cast<double>(value) - exact) / unit;
}

TEST_CASE(
    "the float forms of exp, sigmoid and tanh are within 1, 3 and 3 units in the last place") {
  double worst_exp = 0.0;
  double worst_sigmoid = 0.0;
  double worst_tanh = 0.0;
  for (double magnitude = 1e-7; magnitude < 87.0; magnitude *= 1.00037) {
    for (const double sign : {-1.0, 1.0}) {
      const auto x = static_cast<float>(sign * magnitude);
      const auto wide = static_cast<double>(x);
      worst_exp = std::max(worst_exp, ulps(exp_of(x), std::exp(wide)));
      worst_sigmoid = std::max(worst_sigmoid, ulps(sigmoid_of(x), 1.0 / (1.0 + std::exp(-wide))));
      worst_tanh = std::max(worst_tanh, ulps(tanh_of(x), std::tanh(wide)));
    }
  }
  CAPTURE(worst_exp);
  CAPTURE(worst_sigmoid);
  CAPTURE(worst_tanh);
  CHECK(worst_exp <= 1.0);
  CHECK(worst_sigmoid <= 3.0);
  CHECK(worst_tanh <= 3.0);
}

TEST_CASE("the float form of log1p is within 2 units in the last place") {
  double worst = 0.0;
  for (double x = 1e-7; x < 1.0; x *= 1.00037) {
    const auto value = static_cast<float>(x);
    worst = std::max(worst, ulps(log1p_of(value), std::log1p(static_cast<double>(value))));
  }
  CAPTURE(worst);
  CHECK(worst <= 2.0);
  CHECK(log1p_of(0.0F) == 0.0F);
  CHECK(log1p_of(1.0F) == doctest::Approx(std::log(2.0)));
}

TEST_CASE("the float forms keep limits and NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(exp_of(infinity) == infinity);
  CHECK(exp_of(89.0F) == infinity);
  CHECK(exp_of(88.0F) == doctest::Approx(std::exp(88.0)));
  CHECK(exp_of(-infinity) == 0.0F);
  CHECK(exp_of(-200.0F) == 0.0F);
  CHECK(exp_of(-100.0F) == doctest::Approx(std::exp(-100.0)).epsilon(0.05));  // subnormal
  CHECK(exp_of(0.0F) == 1.0F);
  CHECK(sigmoid_of(infinity) == 1.0F);
  CHECK(sigmoid_of(-infinity) == 0.0F);
  CHECK(tanh_of(infinity) == 1.0F);
  CHECK(tanh_of(-infinity) == -1.0F);
  CHECK(std::signbit(tanh_of(-0.0F)));
  for (const float value : {exp_of(nan), exp_of(-nan), sigmoid_of(nan), tanh_of(nan)}) {
    CHECK(std::isnan(value));
  }
}

}  // namespace
}  // namespace diagrad
