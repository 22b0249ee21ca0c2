#include "diagrad/nn/init.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/embedding.h"
#include "diagrad/nn/linear.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

struct Moments {
  double mean = 0.0;
  double variance = 0.0;
  double largest = 0.0;  ///< |value|
};

Moments moments_of(const Tensor& values) {
  Moments moments;
  const double count = static_cast<double>(values.numel());
  double squares = 0.0;
  for (int64_t i = 0; i < values.numel(); ++i) {
    const double value = static_cast<double>(values.data<float>()[i]);
    moments.mean += value / count;
    squares += value * value / count;
    moments.largest = std::max(moments.largest, std::abs(value));
  }
  moments.variance = squares - moments.mean * moments.mean;
  return moments;
}

RandomStream stream(const char* purpose) {
  return {1, stream_id(purpose)};
}

const Shape kWeight = {200, 3, 3, 40};  // fan in 360, fan out 1800, 72000 values

/// Four standard errors of the mean and of the variance; no distribution here has a kurtosis
/// above the normal one.
void check_moments(const Tensor& values, double variance) {
  const Moments moments = moments_of(values);
  const double count = static_cast<double>(values.numel());
  CHECK(std::abs(moments.mean) < 4.0 * std::sqrt(variance / count));
  CHECK(std::abs(moments.variance / variance - 1.0) < 4.0 * std::sqrt(2.0 / count));
}

/// Uniform values fill the interval and never leave it.
void check_bound(const Tensor& values, double bound) {
  const double largest = moments_of(values).largest;
  CHECK(largest <= static_cast<double>(static_cast<float>(bound)));
  CHECK(largest > 0.999 * bound);
}

TEST_CASE("fans count taps and channels as PyTorch does") {
  CHECK(init::fans_of({64, 16}).in == 16);
  CHECK(init::fans_of({64, 16}).out == 64);
  CHECK(init::fans_of(kWeight).in == 360);
  CHECK(init::fans_of(kWeight).out == 1800);
  CHECK(error_message([] { init::fans_of({5}); }) ==
        "init: a weight [5] has no fans; it needs the form [O,...,I]");
}

TEST_CASE("first weights have the variance and the bounds of their formulas") {
  RandomStream random = stream("variance");
  const init::Fans fans = init::fans_of(kWeight);
  check_moments(init::kaiming_normal(kWeight, fans.out, random), 2.0 / 1800);
  check_moments(init::kaiming_normal(kWeight, fans.in, random, 1.0), 1.0 / 360);
  check_moments(init::xavier_normal(kWeight, fans, random), 2.0 / 2160);
  check_moments(init::xavier_normal(kWeight, fans, random, 25.0 / 9.0), 25.0 / 9.0 * 2.0 / 2160);

  Tensor values = init::kaiming_uniform(kWeight, fans.in, random);
  check_moments(values, 2.0 / 360);
  check_bound(values, std::sqrt(6.0 / 360));
  values = init::kaiming_uniform(kWeight, fans.out, random, 1.0);
  check_moments(values, 1.0 / 1800);
  check_bound(values, std::sqrt(3.0 / 1800));
  values = init::xavier_uniform(kWeight, fans, random);
  check_moments(values, 2.0 / 2160);
  check_bound(values, std::sqrt(6.0 / 2160));
  values = init::fan_in_uniform(kWeight, fans.in, random);
  check_moments(values, 1.0 / (3 * 360));
  check_bound(values, 1.0 / std::sqrt(360.0));
}

TEST_CASE("a truncated normal stays within its cut and has the variance of what remains") {
  for (const double cut : {0.5, 1.0, 2.0, 3.0}) {
    RandomStream random = stream("truncated");
    const Tensor values = init::truncated_normal({300, 200}, 0.02, random, cut);
    check_bound(values, cut * 0.02);
    // 1 - 2 a phi(a) / (2 Phi(a) - 1)
    const double density = std::exp(-0.5 * cut * cut) / std::sqrt(2.0 * std::acos(-1.0));
    const double left = 1.0 - 2.0 * cut * density / std::erf(cut / std::sqrt(2.0));
    check_moments(values, left * 0.02 * 0.02);
    if (cut == 2.0) CHECK(left == doctest::Approx(0.774).epsilon(0.001));
  }
  RandomStream random = stream("truncated");
  CHECK(moments_of(init::truncated_normal({100}, 0.0, random)).largest == 0.0);
}

TEST_CASE("first weights depend on the stream alone, and each draws its own") {
  RandomStream one = stream("equal");
  RandomStream other = stream("equal");
  const Tensor first = init::kaiming_normal({3, 4}, 4, one);
  const Tensor same = init::kaiming_normal({3, 4}, 4, other);
  const Tensor next = init::kaiming_normal({3, 4}, 4, one);
  CHECK(std::equal(first.data<float>(), first.data<float>() + 12, same.data<float>()));
  CHECK_FALSE(std::equal(first.data<float>(), first.data<float>() + 12, next.data<float>()));
}

TEST_CASE("impossible first weights are refused with the numbers") {
  RandomStream random = stream("errors");
  CHECK(error_message([&] {
          init::kaiming_uniform({4, 0}, 0, random);
        }) == "init: fan 0 of a weight [4,0] is not positive");
  CHECK(error_message([&] {
          init::xavier_normal({4, 2}, {2, 4}, random, -1.0);
        }).find("factor -2 of a variance is negative") != std::string::npos);
  CHECK(error_message([&] {
          init::truncated_normal({4}, 0.02, random, 0.01);
        }).find("standard deviation 0.02 cut at 0.01") != std::string::npos);
}

TEST_CASE("layers begin as PyTorch's documentation says") {
  RandomStream random = stream("defaults");
  Linear linear({400, 300}, random);
  check_bound(linear.state_dict().at("weight"), 1.0 / std::sqrt(400.0));
  CHECK(moments_of(linear.state_dict().at("bias")).largest <= 1.0 / std::sqrt(400.0));
  CHECK(moments_of(linear.state_dict().at("bias")).largest > 0.9 / std::sqrt(400.0));

  // k = groups / (C_in * kh * kw), U(-sqrt(k), sqrt(k))
  Conv2d conv({.in_channels = 64, .out_channels = 128, .kernel = 3, .groups = 4}, random);
  check_bound(conv.state_dict().at("weight"), std::sqrt(4.0 / (64 * 9)));
  CHECK(moments_of(conv.state_dict().at("bias")).largest <= std::sqrt(4.0 / (64 * 9)));

  Conv2d he({.in_channels = 64,
             .out_channels = 128,
             .kernel = 3,
             .bias = false,
             .init = ConvInit::fan_out_normal},
            random);
  check_moments(he.state_dict().at("weight"), 2.0 / (128 * 9));

  Embedding table({500, 64}, random);
  check_moments(table.state_dict().at("weight"), 1.0);
}

}  // namespace
}  // namespace diagrad::nn
