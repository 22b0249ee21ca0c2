#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/autograd/record.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reduce.h"
#include "diagrad/ops/unary.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

/// sqrt(x^2 + w^2) as a user writes it: the data is walked by hand, and the derivative uses the
/// library's own operations.
Tensor hypotenuse(const Tensor& x, const Tensor& w) {
  const Tensor y = Tensor::empty_like(x);
  elementwise<double, double, double>(
      y, [](double a, double b) { return std::hypot(a, b); }, x, w);
  return autograd::record(
      {"hypotenuse"}, {x, w}, y,
      [x = SavedTensor(x), w = SavedTensor(w), y = SavedTensor(y)](const BackwardContext& context) {
        const Tensor slope = context.gradient() / y.get(context);
        return Gradients{context.needs(0) ? slope * x.get(context) : Tensor(),
                         context.needs(1) ? slope * w.get(context) : Tensor()};
      });
}

/// Sine and cosine together: an operation with two results.
std::vector<Tensor> sine_cosine(const Tensor& x) {
  const std::vector<Tensor> y = {Tensor::empty_like(x), Tensor::empty_like(x)};
  elementwise<double, double>(
      y[0], [](double v) { return std::sin(v); }, x);
  elementwise<double, double>(
      y[1], [](double v) { return std::cos(v); }, x);
  return autograd::record(
      {"sine_cosine"}, {&x, 1}, y,
      [s = SavedTensor(y[0]), c = SavedTensor(y[1])](const BackwardContext& context) {
        Tensor dx = Tensor::zeros_like(s.get(context));
        if (context.has_gradient(0)) dx = dx + context.gradient(0) * c.get(context);
        if (context.has_gradient(1)) dx = dx - context.gradient(1) * s.get(context);
        return Gradients{dx};
      });
}

Tensor leaf(const Shape& shape, uint64_t stream) {
  RandomStream random(1, stream);
  const Tensor x = testing::random_away_from_zero(random, shape, 0.2);
  x.set_requires_grad(true);
  return x;
}

TEST_CASE("a user's operation with two inputs passes the gradient check") {
  const std::array<Tensor, 2> in = {leaf({3, 5}, 1), leaf({3, 5}, 2)};
  const auto result = autograd::gradcheck(
      [](std::span<const Tensor> x) { return std::vector<Tensor>{hypotenuse(x[0], x[1])}; }, in);
  CHECK_MESSAGE(result.passed, result.message);
}

TEST_CASE("a user's operation works inside a graph of the library's operations") {
  const std::array<Tensor, 2> in = {leaf({3, 5}, 1), leaf({5}, 2)};
  const auto network = [](std::span<const Tensor> x) {
    const Tensor wide = x[1] + Tensor::zeros({3, 5}, DType::f64);
    return std::vector<Tensor>{mean(exp(hypotenuse(x[0] * wide, wide)))};
  };
  const auto result = autograd::gradcheck(network, in);
  CHECK_MESSAGE(result.passed, result.message);
}

TEST_CASE("an operation with two results gets the gradients of those that were used") {
  const Tensor x = leaf({7}, 3);
  using Pick = std::function<Tensor(const std::vector<Tensor>&)>;
  const Pick picks[] = {[](const auto& y) { return y[0]; }, [](const auto& y) { return y[1]; },
                        [](const auto& y) { return y[0] * y[1]; }};
  for (const Pick& pick : picks) {
    const auto result = autograd::gradcheck(
        [&](std::span<const Tensor> in) { return std::vector<Tensor>{pick(sine_cosine(in[0]))}; },
        {&x, 1});
    CHECK_MESSAGE(result.passed, result.message);
  }
}

TEST_CASE("an input that needs no gradient is not asked for one") {
  const Tensor x = leaf({4}, 4);
  const Tensor constant = Tensor::ones({4}, DType::f64);
  backward(sum(hypotenuse(constant, x)));
  CHECK(x.grad().defined());
  CHECK_FALSE(constant.requires_grad());
  CHECK_FALSE(hypotenuse(constant, constant).requires_grad());
  CHECK_FALSE(autograd::records({constant, Tensor()}));
  CHECK(autograd::records({constant, x}));
}

/// Text of the error of backward through an operation whose derivative gives `gradients`.
std::string error_of(const std::function<Gradients()>& gradients) {
  const Tensor x = leaf({2, 3}, 5);
  const Tensor y = autograd::record({"mine"}, {x}, x.clone(),
                                    [=](const BackwardContext&) { return gradients(); });
  return testing::error_message([&] { backward(sum(y)); });
}

TEST_CASE("a derivative that returns something else is told what was expected") {
  CHECK(error_of([] { return Gradients{}; }) ==
        "backward of mine: returned 0 gradients for 1 inputs");
  CHECK(error_of([] { return Gradients{Tensor()}; }) ==
        "backward of mine: no gradient returned for input 0");
  CHECK(error_of([] {
          return Gradients{Tensor::zeros({3, 2}, DType::f64)};
        }) ==
        "backward of mine: the gradient of input 0 is f64 [3,2] on cpu, expected f64 [2,3] on cpu");
  CHECK(error_of([] {
          return Gradients{Tensor::zeros({2, 3})};
        }) ==
        "backward of mine: the gradient of input 0 is f32 [2,3] on cpu, expected f64 [2,3] on cpu");
}

TEST_CASE("a derivative that asks for an input or output that is not there is told so") {
  const auto error_of_rule = [](const std::function<void(const BackwardContext&)>& ask) {
    const Tensor x = leaf({2}, 5);
    const Tensor y =
        autograd::record({"mine"}, {x}, x.clone(), [=](const BackwardContext& context) {
          ask(context);
          return Gradients{context.gradient()};
        });
    return testing::error_message([&] { backward(sum(y)); });
  };
  for (const int number : {1, -1}) {
    const std::string output =
        "backward of mine: there is no output " + std::to_string(number) + ", the operation has 1";
    const std::string input =
        "backward of mine: there is no input " + std::to_string(number) + ", the operation has 1";
    CHECK(error_of_rule([=](const auto& c) { (void)c.gradient(number); }) == output);
    CHECK(error_of_rule([=](const auto& c) { (void)c.has_gradient(number); }) == output);
    CHECK(error_of_rule([=](const auto& c) { (void)c.reuse_grad_buffer(number); }) == output);
    CHECK(error_of_rule([=](const auto& c) { (void)c.needs(number); }) == input);
    CHECK(error_of_rule([=](const auto& c) { (void)c.take_grad_accumulator(number); }) == input);
  }
}

TEST_CASE("gradcheck says when it cannot check") {
  const auto identity = [](std::span<const Tensor> in) { return std::vector<Tensor>{in[0] * 1.0}; };
  const Tensor plain = Tensor::ones({2}, DType::f64);
  CHECK(testing::error_message([&] {
          autograd::gradcheck(identity, {&plain, 1});
        }) == "gradcheck: no input requires gradients");
  const Tensor narrow = Tensor::ones({2});
  narrow.set_requires_grad(true);
  CHECK(testing::error_message([&] {
          autograd::gradcheck(identity, {&narrow, 1});
        }) == "gradcheck: input 0 is f32 [2]; floating inputs must be f64");
  const Tensor x = leaf({2}, 6);
  const auto constant = [](std::span<const Tensor> in) { return std::vector<Tensor>{in[0] * 0.0}; };
  const auto result = autograd::gradcheck(constant, {&x, 1});
  CHECK_FALSE(result);
  CHECK(result.message == "every central difference is zero: the check proves nothing");
}

}  // namespace
}  // namespace diagrad
