#include "diagrad/ops/matmul.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/linear.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("matmul says what does not fit, with the numbers") {
  const auto error = [](const Shape& a, const Shape& b, const MatmulOptions& options = {}) {
    return testing::error_message([&] { matmul(Tensor::zeros(a), Tensor::zeros(b), options); });
  };
  CHECK(error({2, 3}, {4, 5}) ==
        "matmul: inner sizes 3 and 4 differ; [2,3] times [4,5]; transpose one of them?");
  CHECK(
      error({2, 3}, {4, 5}, {.transpose_a = true, .transpose_b = true}) ==
      "matmul: inner sizes 2 and 5 differ; [2,3] transposed times [4,5] transposed; transpose one "
      "of them?");
  CHECK(error({3}, {3, 5}) ==
        "matmul: expected two tensors of at least 2 axes, got [3] and [3,5]; unsqueeze a vector");
  CHECK(error({2, 4, 3}, {3, 3, 5}).find("matmul: shapes [2] and [3] do not broadcast") == 0);
  CHECK(testing::error_message([] {
          matmul(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}, DType::f64));
        }) == "matmul: left side is f32 but right side is f64; convert one with to()");
  CHECK(testing::error_message([] {
          matmul(Tensor::zeros({2, 3}, DType::i64), Tensor::zeros({3, 2}, DType::i64));
        }) == "matmul: needs an f32 or f64 tensor, got i64");
}

TEST_CASE("linear says what does not fit, with the numbers") {
  CHECK(testing::error_message([] {
          linear(Tensor::zeros({4, 64}), Tensor::zeros({10, 32}));
        }) ==
        "linear: input has 64 features but weight expects 32; input [4,64], weight [10,32] (weight "
        "is [outputs, inputs])");
  CHECK(testing::error_message([] {
          linear(Tensor::zeros({4, 8}), Tensor::zeros({10, 8}), Tensor::zeros({8}));
        }) == "linear: bias has shape [8], expected [10] for weight [10,8]");
  CHECK(testing::error_message([] {
          linear(Tensor::zeros({4, 8}), Tensor::zeros({10, 8}, DType::f64));
        }) ==
        "linear: input is f32, weight f64, bias absent; convert with to() so that they agree");
}

/// The same elements with the last two axes exchanged, as a view.
Tensor transposed(const Tensor& x) {
  Shape shape = x.shape();
  Shape strides = x.strides();
  std::swap(shape[shape.rank() - 2], shape[shape.rank() - 1]);
  std::swap(strides[shape.rank() - 2], strides[shape.rank() - 1]);
  return x.strided(shape, strides);
}

TEST_CASE("matmul reads transposed, sliced and expanded views as their dense copies") {
  RandomStream random(6, 1);
  const Tensor wide = normal({3, 11, 9, 2}, 0.0, 1.0, random, DType::f64);
  const Tensor b = normal({3, 9, 10}, 0.0, 1.0, random, DType::f64);
  const Tensor plain = wide.strided({3, 11, 9}, {198, 9, 1});  // overlaps, rows are dense
  const Tensor column = wide.strided({3, 11, 9}, {198, 18, 2});
  const Tensor repeated = wide.strided({3, 11, 9}, {198, 0, 2});
  for (const Tensor& left : {plain, column, repeated}) {
    const Tensor expected = matmul(left.contiguous(), b);
    for (const Tensor& got : {matmul(left, b), matmul(transposed(left), b, {.transpose_a = true}),
                              matmul(left, transposed(transposed(b).contiguous())),
                              matmul(left, transposed(b), {.transpose_b = true})}) {
      CHECK(std::equal(expected.data<double>(), expected.data<double>() + expected.numel(),
                       got.data<double>()));
    }
  }
}

TEST_CASE("matmul sums the gradient of a broadcast side over the batch") {
  RandomStream random(6, 2);
  const Tensor a = normal({4, 5, 6}, 0.0, 1.0, random, DType::f64);
  const Tensor b = normal({6, 3}, 0.0, 1.0, random, DType::f64);
  b.set_requires_grad(true);
  const Tensor y = matmul(a, b);
  const Tensor gradient = autograd::grad({y}, {b}, {Tensor::ones_like(y)})[0];
  CHECK(gradient.shape() == b.shape());
  for (int64_t i = 0; i < 6; ++i) {
    double sum = 0.0;
    for (int64_t row = 0; row < 20; ++row) sum += a.data<double>()[row * 6 + i];
    CHECK(gradient.data<double>()[i * 3 + 1] == doctest::Approx(sum));
  }
}

}  // namespace
}  // namespace diagrad
