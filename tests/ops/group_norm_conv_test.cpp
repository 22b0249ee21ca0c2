#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/group_norm.h"
#include "diagrad/ops/reshape.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

constexpr GroupNormOptions kNorm{.groups = 8};

using Leaves = std::vector<Tensor>;  // x, shift, gamma, beta, w, bias

Tensor fused(const Leaves& in) {
  return group_norm_silu_conv2d({in[0], in[2], in[3], in[1], kNorm}, in[4], in[5], {.padding = 1});
}

Tensor composed(const Leaves& in) {
  const Tensor shift = reshape(in[1], {in[1].size(0), 1, 1, in[1].size(1)});
  return conv2d(silu(group_norm(add(in[0], shift), in[2], in[3], kNorm)), in[4], in[5],
                {.padding = 1});
}

/// The result, the gradients of all leaves, and the bytes that are kept for backward.
template <typename Layer>
std::pair<std::vector<Tensor>, int64_t> results_of(DType dtype, const Layer& layer) {
  RandomStream random(3, stream_id("group norm conv"));
  Leaves in;
  for (const Shape& shape :
       {Shape{3, 12, 9, 32}, Shape{3, 32}, Shape{32}, Shape{32}, Shape{24, 3, 3, 32}, Shape{24}}) {
    in.push_back(uniform(shape, -1.0, 1.0, random).to(dtype));
    in.back().set_requires_grad(true);
  }
  const int64_t before = CpuAllocator::instance().stats().current_bytes;
  const Tensor y = layer(in);
  const int64_t kept = CpuAllocator::instance().stats().current_bytes - before;
  backward(y, uniform(y.shape(), -1.0, 1.0, random).to(dtype));
  std::vector<Tensor> all{y.detach()};
  for (const Tensor& leaf : in) all.push_back(leaf.grad());
  return {all, kept};
}

double largest(const Tensor& x) {
  double result = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) result = std::max(result, std::abs(x.data<double>()[i]));
  return result;
}

void check_near(const std::vector<Tensor>& ours, const std::vector<Tensor>& theirs,
                double tolerance) {
  REQUIRE(ours.size() == theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    CAPTURE(i);
    REQUIRE(ours[i].shape() == theirs[i].shape());
    const Tensor a = ours[i].to(DType::f64);
    const Tensor b = theirs[i].to(DType::f64);
    CHECK(largest(b) > 0.0);
    CHECK(largest(sub(a, b)) <= tolerance * largest(b));
  }
}

TEST_CASE("group_norm_silu_conv2d agrees with its parts and keeps nothing between them") {
  const auto one = results_of(DType::f64, fused);
  const auto parts = results_of(DType::f64, composed);
  check_near(one.first, parts.first, 1e-13);
  // x + shift and the activations before and after silu.
  const int64_t images = 3 * 12 * 9 * 32 * 8;
  CHECK(one.second + 3 * images <= parts.second);
  check_near(results_of(DType::f32, fused).first, results_of(DType::f32, composed).first, 2e-5);
}

TEST_CASE("group_norm_silu_conv2d adds the gradient of x to that of a residual path") {
  const auto residual = [](const auto& layer) {
    return [&layer](const Leaves& in) {
      const Tensor first = add(in[0], in[0]);
      // Backward runs the residual path, which comes last, first.
      const Tensor inner = layer(Leaves{first, in[1], in[2], in[3], in[4], in[5]});
      return add(inner, conv2d(first, Tensor::ones({24, 1, 1, 32}).to(first.dtype())));
    };
  };
  check_near(results_of(DType::f64, residual(fused)).first,
             results_of(DType::f64, residual(composed)).first, 1e-13);
}

TEST_CASE("group_norm_silu_conv2d computes each gradient alone") {
  const auto all = results_of(DType::f64, fused).first;
  for (size_t only = 0; only < 6; ++only) {
    CAPTURE(only);
    const auto alone = results_of(DType::f64, [only](const Leaves& in) {
      Leaves mixed = in;
      for (size_t i = 0; i < mixed.size(); ++i) {
        if (i != only) mixed[i] = mixed[i].detach();
      }
      return fused(mixed);
    });
    check_near({alone.first[only + 1]}, {all[only + 1]}, 1e-13);
  }
}

TEST_CASE("group_norm_silu_conv2d refuses what does not fit, under its own name") {
  const Tensor x = Tensor::zeros({2, 4, 4, 6});
  const Tensor w = Tensor::zeros({3, 3, 3, 6});
  const auto message = [&](const GroupNormSilu& activations, const Tensor& weight) {
    return testing::error_message([&] { group_norm_silu_conv2d(activations, weight, Tensor()); });
  };
  CHECK(message({x, {}, {}, {}, {.groups = 4}}, w) ==
        "group_norm_silu_conv2d: 4 groups do not divide the 6 channels of input [2,4,4,6]");
  CHECK(message({x, {}, {}, Tensor::zeros({2, 5}), {.groups = 2}}, w) ==
        "group_norm_silu_conv2d: shift is f32 [2,5], expected f32 [2,6] for input [2,4,4,6]");
  CHECK(message({Tensor::zeros({4, 6}), {}, {}, {}, {.groups = 2}}, w) ==
        "group_norm_silu_conv2d: expected input of rank 4 or more, got [4,6]");
  CHECK(
      message({x, {}, {}, {}, {.groups = 2}}, Tensor::zeros({3, 3, 3, 5})) ==
      "group_norm_silu_conv2d: input has 6 channels but weight expects 5; input [2,4,4,6], weight "
      "[3,3,3,5] (channels are the last axis of both)");
}

}  // namespace
}  // namespace diagrad
