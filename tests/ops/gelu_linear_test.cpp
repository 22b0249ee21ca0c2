#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/linear.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

/// The result and the gradients of x, w and bias.
template <typename Layer>
std::vector<Tensor> results_of(DType dtype, const Layer& layer) {
  RandomStream random(3, stream_id("gelu linear"));
  std::vector<Tensor> in;
  for (const Shape& shape : {Shape{5, 37, 50}, Shape{21, 50}, Shape{21}}) {
    in.push_back(uniform(shape, -2.0, 2.0, random).to(dtype));
    in.back().set_requires_grad(true);
  }
  const Tensor y = layer(in[0], in[1], in[2]);
  backward(y, uniform(y.shape(), -1.0, 1.0, random).to(dtype));
  return {y.detach(), in[0].grad(), in[1].grad(), in[2].grad()};
}

/// Whether x is equal to y, or within `ulp` units of the last place of the largest value.
bool is_near(const Tensor& x, const Tensor& y, double ulp) {
  const Tensor a = x.to(DType::f64);
  const Tensor b = y.to(DType::f64);
  double largest = 0.0;
  double error = 0.0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    largest = std::max(largest, std::abs(b.data<double>()[i]));
    error = std::max(error, std::abs(a.data<double>()[i] - b.data<double>()[i]));
  }
  return error <= ulp * largest * (x.dtype() == DType::f32 ? 0x1p-23 : 0x1p-52);
}

TEST_CASE(
    "gelu_linear has the bits of linear on the activations; x gets its gradient to rounding") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const GeluForm form : {GeluForm::exact, GeluForm::tanh}) {
      const auto fused =
          results_of(dtype, [&](const auto&... in) { return gelu_linear(in..., form); });
      const auto composed = results_of(dtype, [&](const Tensor& x, const auto&... rest) {
        return linear(form == GeluForm::exact ? gelu(x) : gelu_tanh(x), rest...);
      });
      for (size_t i = 0; i < fused.size(); ++i) {
        CAPTURE(i);
        REQUIRE(fused[i].shape() == composed[i].shape());
        CHECK(is_near(fused[i], composed[i], i == 1 ? 1.0 : 0.0));
      }
    }
  }
}

TEST_CASE("gelu_linear keeps its input alone, not the activations") {
  const Tensor x = Tensor::ones({64, 256});
  const Tensor w = Tensor::ones({8, 256});
  x.set_requires_grad(true);
  w.set_requires_grad(true);
  const int64_t before = CpuAllocator::instance().stats().current_bytes;
  const Tensor y = gelu_linear(x, w);
  CHECK(CpuAllocator::instance().stats().current_bytes - before < x.numel() * 4);
}

TEST_CASE("gelu_linear refuses what linear refuses, under its own name") {
  CHECK(testing::error_message([] {
          gelu_linear(Tensor::zeros({2, 4}), Tensor::zeros({3, 5}));
        }) ==
        "gelu_linear: input has 4 features but weight expects 5; input [2,4], weight [3,5] (weight "
        "is [outputs, inputs])");
}

}  // namespace
}  // namespace diagrad
