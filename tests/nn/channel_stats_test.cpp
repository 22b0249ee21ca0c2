#include "diagrad/nn/attention/channel_stats.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/gradcheck.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/pool.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

TEST_CASE("statistics of channels are those of their formulas, for pixels and tokens") {
  RandomStream random(1, stream_id("x"));
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{2, 7, 5}, Shape{2, 1, 1, 5}}) {
    const Tensor x = uniform(shape, -2.0, 2.0, random, DType::f64);
    const ChannelStats stats(x);
    const int64_t n = x.numel() / 10;
    for (int64_t b = 0; b < 2; ++b) {
      for (int64_t c = 0; c < 5; ++c) {
        double sum = 0.0;
        double squares = 0.0;
        double largest = -10.0;
        for (int64_t i = 0; i < n; ++i) {
          const double value = x.data<double>()[(b * n + i) * 5 + c];
          sum += value;
          squares += value * value;
          largest = std::max(largest, value);
        }
        const auto count = static_cast<double>(n);
        const double mean = sum / count;
        const double variance = (squares - count * mean * mean) / std::max(count - 1.0, 1.0);
        const int64_t at = b * 5 + c;
        CHECK(stats.mean().data<double>()[at] == doctest::Approx(mean));
        CHECK(stats.std().data<double>()[at] == doctest::Approx(std::sqrt(variance + 1e-5)));
        CHECK(stats.l2_norm().data<double>()[at] == doctest::Approx(std::sqrt(squares + 1e-5)));
        CHECK(stats.max().data<double>()[at] == largest);
      }
    }
    CHECK(stats.std().id() == stats.std().id());  // made once
  }
}

TEST_CASE("the standard deviation takes differences from a mean that is not rounded to f32") {
  const Tensor x = Tensor::from<float>({1000000.0625F, 1e6F, 1e6F, 1e6F}, {1, 4, 1});
  CHECK(ChannelStats(x).std().item() == doctest::Approx(std::sqrt(9.765625e-4 + 1e-5)));
}

TEST_CASE("statistics of channels have their gradients, also where all values are equal") {
  RandomStream random(1, stream_id("x"));
  const Tensor x = uniform({2, 3, 2, 4}, -2.0, 2.0, random, DType::f64).set_requires_grad(true);
  const auto all = [](std::span<const Tensor> in) {
    const ChannelStats stats(in[0]);
    return std::vector<Tensor>{stats.mean(), stats.std(), stats.l2_norm(), stats.max()};
  };
  const auto result = autograd::gradcheck(all, {&x, 1});
  CHECK_MESSAGE(result.passed, result.message);
  const Tensor flat = Tensor::zeros({1, 2, 2, 1}, DType::f64).set_requires_grad(true);
  const auto roots = [](std::span<const Tensor> in) {
    const ChannelStats stats(in[0]);
    return std::vector<Tensor>{stats.mean(), stats.std(), stats.l2_norm()};
  };
  const auto at_zero = autograd::gradcheck(roots, {&flat, 1});
  CHECK_MESSAGE(at_zero.passed, at_zero.message);
}

TEST_CASE("a variant that asks for more than it declared is told how to declare it") {
  const Tensor x = Tensor::ones({2, 3, 3, 4});
  const ChannelStats mean = ChannelStats::of(x, Statistics::mean);
  CHECK(mean.mean().shape() == Shape{2, 4});
  for (const auto& ask : {&ChannelStats::std, &ChannelStats::l2_norm, &ChannelStats::max}) {
    CHECK(error_message([&] { (mean.*ask)(); }).find(".statistics = Statistics::all") !=
          std::string::npos);
  }
  CHECK(ChannelStats::of(x, Statistics::all).max().shape() == Shape{2, 4});
  CHECK(error_message([] {
          ChannelStats(Tensor::ones({2, 4}));
        }) ==
        "attention: needs activations [B,...,C] with positions and elements, got shape [2,4]");
}

}  // namespace
}  // namespace diagrad::nn
