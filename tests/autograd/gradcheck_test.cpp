#include "diagrad/autograd/gradcheck.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "diagrad/autograd/record.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/cast.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using autograd::gradcheck;
using testing::error_message;

Tensor leaf(const Shape& shape, uint64_t stream) {
  RandomStream random(1, stream);
  const Tensor x = testing::random_away_from_zero(random, shape, 0.2);
  x.set_requires_grad(true);
  return x;
}

/// x * 2, whose derivative is `factor` for element `index` and right elsewhere.
Tensor doubled(const Tensor& x, int64_t index, double factor) {
  return autograd::record({"doubled"}, {x}, mul(x.detach(), 2.0),
                          [=](const autograd::BackwardContext& context) {
                            const Tensor dx = mul(context.gradient(), 2.0);
                            dx.data<double>()[index] *= factor / 2.0;
                            return autograd::Gradients{dx};
                          });
}

TEST_CASE("gradcheck finds a derivative that is NaN, wherever it is") {
  const Tensor x = leaf({5}, 1);
  for (int64_t index = 0; index < 5; ++index) {
    CAPTURE(index);
    const auto result = gradcheck(
        [=](std::span<const Tensor> in) {
          const double nan = std::numeric_limits<double>::quiet_NaN();
          return std::vector<Tensor>{doubled(in[0], index, nan)};
        },
        {&x, 1});
    CHECK_FALSE(result);
    CHECK(std::isnan(result.worst));
    const std::string place = fmt::format("element {}: derivative nan", index);
    CHECK_MESSAGE(result.message.find(place) != std::string::npos, result.message);
  }
}

TEST_CASE("gradcheck names the NaN and not a finite difference after it") {
  const Tensor inputs[] = {leaf({3}, 1), leaf({3}, 2)};
  const auto result = gradcheck(
      [](std::span<const Tensor> in) {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        return std::vector<Tensor>{doubled(in[0], 0, nan), doubled(in[1], 0, 3.0)};
      },
      inputs);
  CHECK(result.message.find("input 0 [3], element 0: derivative nan") == 0);
}

TEST_CASE("gradcheck refuses floating inputs and outputs in less than double precision") {
  const Tensor inputs[] = {leaf({2}, 1), Tensor::ones({2})};
  const auto first = [](std::span<const Tensor> in) { return std::vector<Tensor>{in[0] * 2.0}; };
  CHECK(error_message([&] { gradcheck(first, inputs); }) ==
        "gradcheck: input 1 is f32 [2]; floating inputs must be f64");
  const auto narrow = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{in[0] * 2.0, cast(in[0], DType::f32)};
  };
  CHECK(error_message([&] {
          gradcheck(narrow, {inputs, 1});
        }) == "gradcheck: output 1 is f32 [2]; floating outputs must be f64");
  const auto labels = [](std::span<const Tensor> /*in*/) {
    return std::vector<Tensor>{Tensor::arange(2)};
  };
  CHECK(error_message([&] {
          gradcheck(labels, {inputs, 1});
        }) == "gradcheck: the function returned no f64 tensor");
  const Tensor turned = Tensor::ones({2, 3}, DType::f64).strided({3, 2}, {1, 3});
  turned.set_requires_grad(true);
  CHECK(error_message([&] {
          gradcheck(first, {&turned, 1});
        }) == "gradcheck: input 0 is f64 [3,2] but not contiguous");
}

TEST_CASE("gradcheck takes inputs without gradients, integers and none at all") {
  const Tensor inputs[] = {leaf({2}, 1), Tensor::ones({2}, DType::f64), Tensor::arange(2),
                           Tensor()};
  const auto product = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{in[0] * in[1], in[2]};
  };
  const auto result = gradcheck(product, inputs);
  CHECK_MESSAGE(result.passed, result.message);
}

TEST_CASE("gradcheck counts an output that was cut off the graph") {
  const Tensor x = leaf({3}, 1);
  const auto constant_too = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{in[0] * 2.0, Tensor::ones({4}, DType::f64)};
  };
  const auto right = gradcheck(constant_too, {&x, 1});
  CHECK_MESSAGE(right.passed, right.message);
  const auto cut = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{in[0] * 2.0, in[0].detach() * 3.0};
  };
  CHECK(gradcheck(cut, {&x, 1}).message.find("central difference") != std::string::npos);
  const auto all_cut = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{in[0].detach() * 3.0};
  };
  CHECK(gradcheck(all_cut, {&x, 1}).message.find("derivative 0, central") != std::string::npos);
}

TEST_CASE("gradcheck refuses a step or a count of elements that is not positive") {
  const Tensor x = leaf({3}, 1);
  const auto twice = [](std::span<const Tensor> in) { return std::vector<Tensor>{in[0] * 2.0}; };
  CHECK(testing::error_message([&] {
          gradcheck(twice, {&x, 1}, {.step = 0.0});
        }) == "gradcheck: step 0 and at most 64 elements per input; both must be positive");
  CHECK_FALSE(testing::error_message([&] {
                gradcheck(twice, {&x, 1}, {.max_elements = 0});
              }).empty());
}

}  // namespace
}  // namespace diagrad
