#include "diagrad/nn/time_embedding.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

/// Row b of features that should be [.., expected.size()].
void check_row(const Tensor& features, int64_t b, const std::vector<double>& expected) {
  const auto width = static_cast<int64_t>(expected.size());
  REQUIRE(features.size(1) == width);
  for (int64_t i = 0; i < width; ++i) {
    CAPTURE(i);
    CHECK(features.data<double>()[b * width + i] ==
          doctest::Approx(expected[static_cast<size_t>(i)]).epsilon(1e-12));
  }
}

TEST_CASE("time features are sines, then cosines, of frequencies from 1 to 1/10000") {
  const Tensor times = Tensor::from<double>({0.0, 999.0}, {2});
  const Tensor features = time_features(times, {.width = 6});
  CHECK(features.shape() == Shape{2, 6});
  check_row(features, 0, {0.0, 0.0, 0.0, 1.0, 1.0, 1.0});
  // 3 frequencies and a shift of 1: 1, 1/100 and 1/10000.
  check_row(features, 1,
            {std::sin(999.0), std::sin(9.99), std::sin(0.0999), std::cos(999.0), std::cos(9.99),
             std::cos(0.0999)});
}

TEST_CASE("time features: the other order, no shift, an odd width") {
  const Tensor times = Tensor::from<double>({7.0}, {1});
  check_row(time_features(times, {.width = 6, .order = TimeOrder::cos_sin}), 0,
            {std::cos(7.0), std::cos(0.07), std::cos(0.0007), std::sin(7.0), std::sin(0.07),
             std::sin(0.0007)});
  // Without a shift the last frequency stays above 1/10000: 1 and 1/100.
  check_row(time_features(times, {.width = 4, .frequency_shift = 0}), 0,
            {std::sin(7.0), std::sin(0.07), std::cos(7.0), std::cos(0.07)});
  check_row(time_features(times, {.width = 5, .frequency_shift = 0}), 0,
            {std::sin(7.0), std::sin(0.07), std::cos(7.0), std::cos(0.07), 0.0});
}

TEST_CASE("time features of f32 are those of f64, rounded") {
  const Tensor times = Tensor::from<float>({3.0F, 500.0F, 999.0F}, {3});
  const Tensor single = time_features(times, {.width = 32});
  const Tensor full = time_features(times.to(DType::f64), {.width = 32});
  REQUIRE(single.dtype() == DType::f32);
  for (int64_t i = 0; i < full.numel(); ++i) {
    CHECK(single.data<float>()[i] == static_cast<float>(full.data<double>()[i]));
  }
}

TEST_CASE("time features refuse what does not fit") {
  const Tensor times = Tensor::zeros({2});
  CHECK(error_message([&] { time_features(times, {.width = 3}); }) ==
        "time_features: width 3 with a frequency shift of 1; the width must be at least 4, the "
        "shift in [0, 1)");
  CHECK(error_message([&] {
          time_features(Tensor::zeros({2, 1}), {.width = 4});
        }) == "time_features: needs times [B], got shape [2,1]");
  CHECK(error_message([&] {
          time_features(Tensor::zeros({2}, DType::i64), {.width = 4});
        }).find("time_features") == 0);
  times.set_requires_grad(true);
  CHECK(error_message([&] { time_features(times, {.width = 4}); }) ==
        "time_features: times [2] require gradients, but get none");
}

}  // namespace
}  // namespace diagrad::nn
