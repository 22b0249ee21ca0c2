#include "diagrad/core/float_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>

#include "diagrad/core/vector_math.h"

namespace diagrad {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
constexpr float kLargest = std::numeric_limits<float>::max();

/// |value - exact| in units of the last place of the float below |exact|.
double units(float value, double exact) {
  const int exponent = exact == 0.0 ? -126 : std::max(std::ilogb(exact), -126);
  return std::abs(static_cast<double>(value) - exact) / std::ldexp(1.0, exponent - 23);
}

/// The largest error over some 40 thousand floats of every size, of both signs.
template <typename Function, typename Exact>
double worst(float largest, Function function, Exact exact) {
  double result = 0.0;
  for (uint32_t bits = 1; bits < std::bit_cast<uint32_t>(largest); bits += 52711) {
    for (const float x : {std::bit_cast<float>(bits), -std::bit_cast<float>(bits)}) {
      const double wanted = exact(static_cast<double>(x));
      if (!std::isnan(wanted)) result = std::max(result, units(function(x), wanted));
    }
  }
  return result;
}

double exact_sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

TEST_CASE("the float functions keep the errors that their header states") {
  CHECK(worst(
            88.7F, [](float x) { return exp_of(x); }, [](double x) { return std::exp(x); }) <=
        0.90);
  CHECK(worst(
            kLargest, [](float x) { return log_of(x); }, [](double x) { return std::log(x); }) <=
        0.87);
  CHECK(worst(
            kInfinity, [](float x) { return sigmoid_of(x); }, exact_sigmoid) <= 1.39);
  CHECK(worst(
            kInfinity, [](float x) { return tanh_of(x); }, [](double x) { return std::tanh(x); }) <=
        1.45);
}

TEST_CASE("the normal distribution keeps its absolute errors, up to where it ends") {
  double cdf = 0.0;
  double density = 0.0;
  for (double step = -15.0; step < 15.0; step += 1.37e-4) {
    const auto x = static_cast<float>(step);
    const auto exact = static_cast<double>(x);
    const Normal<float> normal = normal_of(x);
    cdf = std::max(cdf, std::abs(static_cast<double>(normal.cdf) -
                                 0.5 * std::erfc(-exact / std::numbers::sqrt2)));
    density = std::max(
        density, std::abs(static_cast<double>(normal.density) -
                          std::exp(-0.5 * exact * exact) / std::sqrt(2.0 * std::numbers::pi)));
  }
  CHECK(cdf <= std::ldexp(1.47, -24));
  CHECK(density <= std::ldexp(0.82, -24));
  for (const float x : {13.3F, kLargest, kInfinity}) {
    CHECK(normal_of(x).cdf == 1.0F);
    CHECK(normal_of(-x).cdf == 0.0F);
    CHECK(normal_of(x).density == 0.0F);
    CHECK(normal_of(-x).density == 0.0F);
  }
  for (const float zero : {0.0F, -0.0F, kSmallest, -kSmallest}) CHECK(normal_of(zero).cdf == 0.5F);
}

TEST_CASE("the float form of log1p is within 2 units in the last place") {
  double largest = 0.0;
  for (double x = 1e-7; x < 1.0; x *= 1.00037) {
    const auto value = static_cast<float>(x);
    largest = std::max(largest, units(log1p_of(value), std::log1p(static_cast<double>(value))));
  }
  CHECK(largest <= 2.0);
  CHECK(log1p_of(0.0F) == 0.0F);
  CHECK(log1p_of(1.0F) == doctest::Approx(std::log(2.0)));
}

TEST_CASE("exp has its borders: overflow, subnormal results, zero") {
  CHECK(exp_of(kInfinity) == kInfinity);
  CHECK(exp_of(kLargest) == kInfinity);
  CHECK(exp_of(88.72284F) == kInfinity);  // the least float whose exponential overflows
  CHECK(units(exp_of(88.72283F), std::exp(88.72283172607422)) <= 0.9);  // the one before it
  CHECK(exp_of(-87.5F) < std::numeric_limits<float>::min());
  CHECK(units(exp_of(-100.0F), std::exp(-100.0)) <= 0.5);
  CHECK(exp_of(-103.27893F) == kSmallest);  // rounds up to it
  CHECK(exp_of(-103.97209F) == 0.0F);       // not half of it
  CHECK(exp_of(-kLargest) == 0.0F);
  CHECK(exp_of(-kInfinity) == 0.0F);
  for (const float zero : {0.0F, -0.0F, kSmallest, -kSmallest}) CHECK(exp_of(zero) == 1.0F);
}

TEST_CASE("exp of numbers below zero has the bits of exp down to -87, then zero, and keeps NaN") {
  int other_bits = 0;
  for (float x = 0.0F; x >= -87.0F; x -= 0.00137F) {
    if (exp_of_negative(x) != exp_of(x)) ++other_bits;
  }
  CHECK(other_bits == 0);
  CHECK(exp_of_negative(-0.0F) == 1.0F);
  for (const float x : {-87.1F, -1e4F, -kLargest, -kInfinity}) CHECK(exp_of_negative(x) == 0.0F);
  CHECK(std::isnan(exp_of_negative(kNan)));
  CHECK(exp_of_negative(-700.0) == std::exp(-700.0));
}

TEST_CASE("log has its borders: zero, below, subnormal arguments, infinity") {
  CHECK(log_of(0.0F) == -kInfinity);
  CHECK(log_of(-0.0F) == -kInfinity);
  for (const float x : {-kSmallest, -1.0F, -kLargest, -kInfinity}) CHECK(std::isnan(log_of(x)));
  CHECK(log_of(1.0F) == 0.0F);
  CHECK_FALSE(std::signbit(log_of(1.0F)));
  CHECK(log_of(kSmallest) == -103.278931F);
  CHECK(log_of(std::numeric_limits<float>::min()) == -87.3365479F);
  CHECK(log_of(kLargest) == 88.7228394F);
  CHECK(log_of(kInfinity) == kInfinity);
}

TEST_CASE("sigmoid and tanh have their limits, and signs of zero") {
  CHECK(sigmoid_of(kInfinity) == 1.0F);
  CHECK(sigmoid_of(-kInfinity) == 0.0F);
  CHECK(sigmoid_of(0.0F) == 0.5F);
  CHECK(units(sigmoid_of(-95.0F), std::exp(-95.0)) <= 1.0);  // subnormal
  CHECK(tanh_of(kInfinity) == 1.0F);
  CHECK(tanh_of(-kLargest) == -1.0F);
  CHECK(tanh_of(kSmallest) == kSmallest);
  CHECK(std::signbit(tanh_of(-0.0F)));
  CHECK_FALSE(std::signbit(tanh_of(0.0F)));
}

TEST_CASE("NaN stays NaN in every float function") {
  for (const float nan : {kNan, -kNan}) {
    for (const float y : {exp_of(nan), log_of(nan), log1p_of(nan), sigmoid_of(nan), tanh_of(nan),
                          normal_of(nan).cdf, normal_of(nan).density}) {
      CHECK(std::isnan(y));
    }
  }
}

TEST_CASE("the lanes of a vector get what one float gets, whatever stands beside them") {
  constexpr float kSpecial[] = {0.0F,  -0.0F, kInfinity, -kInfinity, kNan,   kSmallest, 1.0F,
                                -1.0F, 89.5F, -104.5F,   0.55F,      0.925F, 3e38F};
  constexpr int kCount = static_cast<int>(std::size(kSpecial));
  const auto compare = [&](auto function) {
    for (int first = 0; first < kCount; ++first) {
      float lanes[kLanes<float>];
      for (int i = 0; i < kLanes<float>; ++i) lanes[i] = kSpecial[(first + i) % kCount];
      const Vec<float> result = function(load<float>(lanes));
      const float alone = function(lanes[0]);
      CHECK(std::isnan(alone) == std::isnan(result[0]));
      if (!std::isnan(alone)) CHECK(alone == result[0]);
    }
  };
  compare([](auto x) { return exp_of(x); });
  compare([](auto x) { return log_of(x); });
  compare([](auto x) { return sigmoid_of(x); });
  compare([](auto x) { return tanh_of(x); });
  compare([](auto x) { return normal_of(x).cdf; });
  compare([](auto x) { return normal_of(x).density; });
}

TEST_CASE("map_math gives an element the same bits wherever it falls") {
  constexpr int64_t kSize = 100;
  float x[kSize];
  float whole[kSize];
  for (int64_t i = 0; i < kSize; ++i) x[i] = static_cast<float>(i - 50) * 0.37F;
  const auto function = [](Vec<float> v) { return tanh_of(v) * exp_of(v); };
  map_math(kSize, function, whole, x);
  for (int64_t first = 0; first < kSize; ++first) {
    float part[kSize + 1];
    const int64_t count = std::min<int64_t>(kSize - first, 37);
    part[count] = 7.0F;
    map_math(count, function, part, x + first);
    for (int64_t i = 0; i < count; ++i) CHECK(part[i] == whole[first + i]);
    CHECK(part[count] == 7.0F);  // nothing is written beyond the end
  }
}

}  // namespace
}  // namespace diagrad
