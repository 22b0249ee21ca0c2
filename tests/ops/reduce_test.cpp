#include "diagrad/ops/reduce.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/parallel.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

TEST_CASE("of equal largest values the first in row-major order gets the gradient of max") {
  const Tensor x = Tensor::from<double>({1, 5, 5, 5, 2, 5}, {2, 3});
  x.set_requires_grad(true);
  backward(max(x));
  for (int64_t i = 0; i < 6; ++i) CHECK(x.grad().data<double>()[i] == (i == 1 ? 1.0 : 0.0));
  x.set_grad({});
  backward(sum(max(x, {.axes = {0}})));  // columns: 5 below 1, 5 above 2, 5 and 5
  const double expected[] = {0, 1, 1, 1, 0, 0};
  for (int64_t i = 0; i < 6; ++i) CHECK(x.grad().data<double>()[i] == expected[i]);
}

TEST_CASE("the gradient of max has the same values for any number of threads") {
  RandomStream random(4, stream_id("reduce"));
  const Tensor x = normal({70001, 3}, 0.0, 1.0, random);
  const Tensor dy = normal({70001}, 0.0, 1.0, random);
  x.set_requires_grad(true);
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    const Tensor dx = autograd::grad({max(x, {.axes = {1}})}, {x}, {dy})[0];
    const Tensor places = argmax(x, 1);
    int64_t wrong = 0;
    for (int64_t i = 0; i < dx.numel(); ++i) {
      const bool first = places.data<int64_t>()[i / 3] == i % 3;
      wrong += dx.data<float>()[i] != (first ? dy.data<float>()[i / 3] : 0.0F);
    }
    CHECK(wrong == 0);
  }
  set_num_threads(before);
}

TEST_CASE("argmax gives the first of equal values, and the place of the first NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from<float>({3, 7, 7, 9, nan, nan}, {2, 3});
  CHECK(argmax(x).data<int64_t>()[0] == 1);
  CHECK(argmax(x).data<int64_t>()[1] == 1);
  CHECK(std::isnan(max(x).item()));
  const Tensor low = Tensor::full({4}, -std::numeric_limits<double>::infinity());
  CHECK(argmax(low).item() == 0.0);
  CHECK(max(low).item() == -std::numeric_limits<double>::infinity());
}

TEST_CASE("a mean of f32 values does not overflow where their sum does") {
  const Tensor x = Tensor::full({4, 3, 5}, 3e38);
  const double stored = static_cast<double>(3e38F);
  CHECK(mean(x).item() == stored);
  CHECK(mean(x, {.axes = {0, 2}}).data<float>()[2] == 3e38F);
}

TEST_CASE("sums of many f32 values run in double precision") {
  const int64_t count = 3'000'000;
  const double expected = static_cast<double>(0.1F) * static_cast<double>(count);
  const Tensor x = Tensor::full({count}, 0.1);
  CHECK(sum(x).item() == static_cast<double>(static_cast<float>(expected)));
  CHECK(mean(x).item() == static_cast<double>(0.1F));
}

TEST_CASE("sums have the same bits for any number of threads") {
  RandomStream random(3, stream_id("reduce"));
  const Tensor x = normal({5, 20011, 3}, 0.0, 1.0, random);
  const int before = num_threads();
  set_num_threads(1);
  const Tensor all = sum(x);
  const Tensor columns = sum(x, {.axes = {0, 1}});
  set_num_threads(2);
  CHECK(sum(x).item() == all.item());
  const Tensor again = sum(x, {.axes = {0, 1}});
  for (int64_t i = 0; i < 3; ++i) CHECK(again.data<float>()[i] == columns.data<float>()[i]);
  set_num_threads(before);
}

TEST_CASE("var of equal values is 0, and of one value by n too") {
  CHECK(var(Tensor::full({7}, 0.1)).item() == doctest::Approx(0.0));
  CHECK(var(Tensor::full({1}, 5.0), {.unbiased = false}).item() == 0.0);
}

TEST_CASE("the sum of nothing is 0") {
  const Tensor x = Tensor::zeros({0, 3}, DType::f64);
  x.set_requires_grad(true);
  const Tensor y = sum(x);
  CHECK(y.item() == 0.0);
  backward(y);
  CHECK(x.grad().shape() == Shape{0, 3});
}

TEST_CASE("reductions say what does not fit, with the numbers") {
  const Tensor x = Tensor::zeros({2, 3, 4});
  CHECK(error_message([&] { sum(x, {.axes = {3}}); }) ==
        "sum: axis 3 is out of range for a tensor of rank 3");
  CHECK(error_message([&] { mean(x, {.axes = {-4}}); }) ==
        "mean: axis -4 is out of range for a tensor of rank 3");
  CHECK(error_message([&] {
          max(x, {.axes = {1, -2}});
        }) == "max: an axis is named twice for a tensor of shape [2,3,4]");
  CHECK(error_message([&] { argmax(Tensor::zeros({})); }) ==
        "argmax: axis -1 is out of range for a tensor of rank 0");
  CHECK(error_message([&] { argmax(x.to(DType::i64)); }) ==
        "argmax: needs an f32 or f64 tensor, got i64 [2,3,4]; convert it with Tensor::to");
  CHECK(error_message([&] { mean(x.to(DType::u8)); }) ==
        "mean: needs an f32 or f64 tensor, got u8 [2,3,4]; convert it with Tensor::to");
  CHECK(error_message([&] {
          mean(Tensor::zeros({0, 3}));
        }) == "mean: the axes of shape [0,3] hold no elements");
  CHECK(error_message([&] {
          max(Tensor::zeros({2, 0}), {.axes = {1}});
        }) == "max: the axes of shape [2,0] hold no elements");
  CHECK(error_message([&] {
          argmax(Tensor::zeros({2, 0}));
        }) == "argmax: the axes of shape [2,0] hold no elements");
  CHECK(error_message([&] {
          var(Tensor::zeros({5, 1}), {.axes = {1}});
        }) == "var: 1 elements along the axes of shape [5,1] are too few (unbiased needs 2)");
  CHECK(error_message([&] { var(Tensor::zeros({0}), {.unbiased = false}); }) ==
        "var: 0 elements along the axes of shape [0] are too few");
}

}  // namespace
}  // namespace diagrad
