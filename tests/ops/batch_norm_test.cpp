#include "diagrad/ops/batch_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/layer_norm.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("batch_norm moves the running statistics by the momentum, the variance unbiased") {
  // Channel 0 holds 1, 2, 3, 6: mean 3, squares 14, variance 3.5 biased and 14/3 unbiased.
  const Tensor x = Tensor::from<double>({1, 5, 2, 5, 3, 5, 6, 5}, {4, 2});
  const Tensor mean = Tensor::from<double>({1, 1}, {2});
  const Tensor var = Tensor::from<double>({2, 2}, {2});
  const Tensor y = batch_norm(x, {}, {}, mean, var, {.training = true, .momentum = 0.25});
  CHECK(mean.data<double>()[0] == doctest::Approx(0.75 * 1 + 0.25 * 3));
  CHECK(mean.data<double>()[1] == doctest::Approx(0.75 * 1 + 0.25 * 5));
  CHECK(var.data<double>()[0] == doctest::Approx(0.75 * 2 + 0.25 * 14.0 / 3.0));
  CHECK(var.data<double>()[1] == doctest::Approx(0.75 * 2));
  CHECK(y.data<double>()[6] == doctest::Approx(3.0 / std::sqrt(3.5 + 1e-5)));
  CHECK(y.data<double>()[7] == 0.0);
  CHECK(mean.version() == 1);
}

TEST_CASE("batch_norm leaves the running statistics alone in evaluation") {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {2, 2});
  const Tensor mean = Tensor::from<float>({2, 2}, {2});
  const Tensor var = Tensor::from<float>({4, 4}, {2});
  const Tensor y = batch_norm(x, {}, {}, mean, var, {.epsilon = 1e-12});
  CHECK(y.data<float>()[0] == -0.5F);
  CHECK(y.data<float>()[3] == 1.0F);
  CHECK(mean.version() == 0);
}

TEST_CASE("a training step between forward and backward does not disturb evaluation") {
  const Tensor x = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
  const Tensor gamma = Tensor::ones({2}, DType::f64);
  gamma.set_requires_grad(true);
  const Tensor mean = Tensor::zeros({2}, DType::f64);
  const Tensor var = Tensor::ones({2}, DType::f64);
  const Tensor y = batch_norm(x, gamma, {}, mean, var, {});
  batch_norm(x, {}, {}, mean, var, {.training = true});
  backward(y, Tensor::ones_like(y));
  CHECK(gamma.grad().data<double>()[0] == doctest::Approx(4.0).epsilon(1e-4));
}

TEST_CASE("f32 statistics hold where the mean is 10,000 times the deviation") {
  RandomStream random(5, 1);
  for (const int64_t channels : {1, 3, 16, 200}) {
    CAPTURE(channels);
    const Tensor x = uniform({40, 7, 9, channels}, 9999.0, 10001.0, random);
    const Tensor wide = x.to(DType::f64);
    const Tensor mean = Tensor::zeros({channels});
    const Tensor var = Tensor::zeros({channels});
    const Tensor wide_mean = Tensor::zeros({channels}, DType::f64);
    const Tensor wide_var = Tensor::zeros({channels}, DType::f64);
    const BatchNormOptions options{.training = true, .momentum = 1.0};
    const Tensor y = batch_norm(x, {}, {}, mean, var, options);
    const Tensor wide_y = batch_norm(wide, {}, {}, wide_mean, wide_var, options);
    for (int64_t c = 0; c < channels; ++c) {
      CHECK(var.data<float>()[c] == doctest::Approx(wide_var.data<double>()[c]).epsilon(1e-6));
      CHECK(mean.data<float>()[c] == doctest::Approx(wide_mean.data<double>()[c]).epsilon(1e-7));
    }
    double worst = 0.0;
    for (int64_t i = 0; i < y.numel(); ++i) {
      worst = std::max(
          worst, std::abs(static_cast<double>(y.data<float>()[i]) - wide_y.data<double>()[i]));
    }
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("an infinite gamma gives infinities of the sign of x - mean") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::f32, DType::f64}) {
    CAPTURE(name(dtype));
    for (const double last : {5.0, 0.7}) {  // the mean of the first is exact, the other is rounded
      const Tensor x = Tensor::from<double>({1, 2, 4, last}, {4, 1}).to(dtype);
      const Tensor gamma = Tensor::full({1}, infinity, dtype);
      const Tensor y = batch_norm(x, gamma, {}, {}, {}, {.training = true}).to(DType::f64);
      const Tensor wide = x.to(DType::f64);
      double mean = 0.0;
      for (int64_t i = 0; i < 4; ++i) mean += wide.data<double>()[i] / 4.0;
      for (int64_t i = 0; i < 4; ++i) {
        CHECK(y.data<double>()[i] == (wide.data<double>()[i] > mean ? infinity : -infinity));
      }
    }
  }
}

TEST_CASE("an infinite gradient gives an infinite gradient of gamma, by the sign of x - mean") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::f32, DType::f64}) {
    CAPTURE(name(dtype));
    const Tensor x = Tensor::from<double>({0.1, 0.2, 0.4, 0.8}, {4, 1}).to(dtype);
    const Tensor gamma = Tensor::ones({1}, dtype);
    gamma.set_requires_grad(true);
    const Tensor y = batch_norm(x, gamma, {}, {}, {}, {.training = true});
    backward(y, Tensor::from<double>({infinity, 1, 1, 1}, {4, 1}).to(dtype));
    CHECK(gamma.grad().item() == -infinity);
  }
}

TEST_CASE("batch_norm says what does not fit, with the numbers") {
  const auto error = [](const Shape& x, const Tensor& gamma, const Tensor& mean,
                        const BatchNormOptions& options) {
    return testing::error_message(
        [&] { batch_norm(Tensor::zeros(x), gamma, {}, mean, mean, options); });
  };
  const BatchNormOptions training{.training = true};
  CHECK(error({4}, {}, {}, training) ==
        "batch_norm: expected input [...,C] of rank 2 or more, got [4]");
  CHECK(error({2, 3}, Tensor::zeros({2}), {}, training) ==
        "batch_norm: gamma has shape [2], expected [3] for input [2,3] (channels are the last "
        "axis)");
  CHECK(error({2, 3}, Tensor::zeros({3}, DType::f64), {}, training) ==
        "batch_norm: input is f32 but gamma is f64; convert with to() so that they agree");
  CHECK(error({1, 1, 1, 8}, {}, {}, training) ==
        "batch_norm: training needs more than one value per channel, input [1,1,1,8] has 1; use a "
        "larger batch or evaluation mode");
  CHECK(error({2, 3}, {}, {}, {}) ==
        "batch_norm: evaluation needs running_mean and running_var; train first or set {.training "
        "= true}");
  CHECK(error({2, 3}, {}, Tensor::zeros({3}), {.epsilon = 0.0}) ==
        "batch_norm: epsilon 0 must be positive and momentum 0.1 within [0, 1]");
  CHECK(testing::error_message([] {
          batch_norm(Tensor::zeros({2, 3}, DType::i64), {}, {}, {}, {}, {.training = true});
        }) == "batch_norm: needs an f32 or f64 tensor, got i64");
}

TEST_CASE("group_norm and layer_norm say what does not fit, with the numbers") {
  CHECK(testing::error_message([] {
          group_norm(Tensor::zeros({2, 4, 4, 6}), {}, {}, {.groups = 4});
        }) == "group_norm: 4 groups do not divide the 6 channels of input [2,4,4,6]");
  CHECK(testing::error_message([] { group_norm(Tensor::zeros({6}), {}, {}, {.groups = 2}); }) ==
        "group_norm: expected input of rank 2 or more, got [6]");
  CHECK(testing::error_message([] {
          layer_norm(Tensor::zeros({2, 6}), Tensor::zeros({5}), {});
        }) ==
        "layer_norm: gamma is f32 [5], expected f32 [6] for input [2,6] (features are the last "
        "axis)");
}

}  // namespace
}  // namespace diagrad
