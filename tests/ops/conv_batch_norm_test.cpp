#include "diagrad/ops/conv_batch_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/bn_scale_add_relu.h"
#include "diagrad/ops/inplace.h"
#include "diagrad/ops/reshape.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

double largest_difference(const Tensor& a, const Tensor& b) {
  const Tensor left = a.to(DType::f64).contiguous();
  const Tensor right = b.to(DType::f64).contiguous();
  double largest = 0.0;
  for (int64_t i = 0; i < left.numel(); ++i) {
    largest = std::max(largest, std::abs(left.data<double>()[i] - right.data<double>()[i]));
  }
  return largest;
}

struct Inputs {
  Inputs(DType dtype, const Shape& images, const Shape& weight) {
    RandomStream random(5, 1);
    x = uniform(images, 0.0, 2.0, random, dtype).set_requires_grad(true);
    w = uniform(weight, -0.5, 0.5, random, dtype).set_requires_grad(true);
    gamma = uniform({32}, 0.5, 1.5, random, dtype).set_requires_grad(true);
    beta = uniform({32}, -0.5, 0.5, random, dtype).set_requires_grad(true);
    residual = uniform({images[0], images[1], images[2], 32}, -1.0, 1.0, random, dtype)
                   .set_requires_grad(true);
    mean = Tensor::zeros({32}, dtype);
    var = Tensor::ones({32}, dtype);
  }
  std::vector<Tensor> gradients(const Tensor& y) const {
    return autograd::grad({y}, {x, w, gamma, beta}, {y.detach()});
  }
  Tensor x, w, gamma, beta, residual, mean, var;
};

void compare_with_composed(DType dtype, const Shape& images, const Shape& weight, bool training) {
  const Conv2dOptions conv{.padding = weight[1] / 2};
  const double tolerance = dtype == DType::f64 ? 1e-12 : 1e-5;
  const BatchNormOptions options{.training = training};
  const Inputs fused(dtype, images, weight);
  const Inputs single(dtype, images, weight);
  const Convolution convolution{fused.w, conv};
  const Tensor x = conv2d(single.x, single.w, conv);
  const auto check = [&](const Tensor& got, const Tensor& wanted) {
    CHECK(largest_difference(got, wanted) < tolerance);
    const std::vector<Tensor> left = fused.gradients(got);
    const std::vector<Tensor> right = single.gradients(wanted);
    for (size_t i = 0; i < left.size(); ++i) {
      const double largest = largest_difference(right[i], Tensor::zeros_like(right[i]));
      CHECK(largest_difference(left[i], right[i]) < 10 * tolerance * (10 + largest));
    }
  };
  check(conv_batch_norm_relu(fused.x, convolution, fused.gamma, fused.beta, fused.mean, fused.var,
                             options),
        batch_norm_relu(x, single.gamma, single.beta, single.mean, single.var, options));
  CHECK(largest_difference(fused.mean, single.mean) < tolerance);
  CHECK(largest_difference(fused.var, single.var) < tolerance);
  BnScaleAddRelu join(fused.x, convolution, fused.gamma, fused.beta, fused.mean, fused.var,
                      options);
  BnScaleAddRelu wanted(conv2d(single.x, single.w, conv), single.gamma, single.beta, single.mean,
                        single.var, options);
  check(join.scale_add_relu(sigmoid(join.pooled()), fused.residual),
        wanted.scale_add_relu(sigmoid(wanted.pooled()), single.residual));
}

TEST_CASE("a convolution with its normalisation gives what the two give one by one") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    compare_with_composed(dtype, {6, 8, 8, 24}, {32, 1, 1, 24}, true);
    compare_with_composed(dtype, {6, 8, 8, 24}, {32, 1, 1, 24}, false);
    compare_with_composed(dtype, {6, 8, 8, 24}, {32, 3, 3, 24}, true);
    // Images of several parts, more than one chunk of tiles.
    compare_with_composed(dtype, {3, 51, 103, 5}, {32, 1, 1, 5}, true);
  }
}

/// conv_batch_norm_relu of the activations of a normalisation, or of `pass(activations)`.
struct Chain {
  explicit Chain(DType dtype, bool with_relu = true) : relu(with_relu) {
    RandomStream random(9, 1);
    x = uniform({6, 8, 8, 24}, -1.0, 2.0, random, dtype).set_requires_grad(true);
    g = uniform({24}, 0.5, 1.5, random, dtype).set_requires_grad(true);
    b = uniform({24}, -0.5, 0.5, random, dtype).set_requires_grad(true);
    w = uniform({32, 1, 1, 24}, -0.5, 0.5, random, dtype).set_requires_grad(true);
  }
  Tensor activations() const {
    const auto norm = relu ? batch_norm_relu : batch_norm;
    return norm(x, g, b, {}, {}, {.training = true});
  }
  Tensor convolved(const Tensor& input) const {
    return conv_batch_norm_relu(input, {w}, {}, {}, {}, {}, {.training = true});
  }
  std::vector<Tensor> gradients(const Tensor& y) const {
    return autograd::grad({y}, {x, g, b, w}, {y.detach()}, {.retain_graph = true});
  }
  void check_same_gradients(const Tensor& made, const Tensor& kept) const {
    const std::vector<Tensor> left = gradients(made);
    const std::vector<Tensor> right = gradients(kept);
    for (size_t i = 0; i < left.size(); ++i) CHECK(largest_difference(left[i], right[i]) == 0.0);
  }
  bool relu;
  Tensor x, g, b, w;
};

TEST_CASE("activations made again give the bits of activations that were saved") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const bool relu : {true, false}) {
      const Chain chain(dtype, relu);
      // A reshaped tensor is the result of another operation, so its values are kept.
      const Tensor kept = reshape(reshape(chain.activations(), {-1}), {6, 8, 8, 24});
      chain.check_same_gradients(chain.convolved(chain.activations()), chain.convolved(kept));
    }
  }
}

TEST_CASE("activations changed in place are not made again") {
  const Chain chain(DType::f64);
  const auto halved = [&](const Tensor& activations) {
    {
      const NoGrad no_grad;
      mul_(activations, 0.5);
    }
    return chain.convolved(activations);
  };
  const Tensor kept = reshape(reshape(chain.activations(), {-1}), {6, 8, 8, 24});
  chain.check_same_gradients(halved(chain.activations()), halved(kept));
}

TEST_CASE("activations that can be made again are not kept") {
  const Chain chain(DType::f32);
  Tensor activations = chain.activations();
  const Tensor y = chain.convolved(activations);
  const auto held = [] { return CpuAllocator::instance().stats().current_bytes; };
  const int64_t before = held();
  activations = Tensor();
  CHECK(before - held() >= 6 * 8 * 8 * 24 * 4);
}

TEST_CASE("a convolution with its normalisation says what does not fit") {
  const Tensor c = Tensor::ones({4});
  CHECK(testing::error_message([&] {
          conv_batch_norm_relu(Tensor::ones({2, 3, 3, 8}), {Tensor::ones({4, 1, 1, 6})}, c, c, {},
                               {}, {.training = true});
        }) ==
        "conv2d: input has 8 channels but weight expects 6; input [2,3,3,8], weight [4,1,1,6] "
        "(channels are the last axis of both)");
  CHECK(testing::error_message([&] {
          conv_batch_norm_relu(Tensor::ones({2, 3, 3, 8}), {Tensor::ones({6, 1, 1, 8})}, c, c, {},
                               {}, {.training = true});
        }) ==
        "conv_batch_norm_relu: gamma has shape [4], expected [6] for input [2,3,3,6] (channels are "
        "the last axis)");
  const Convolution rows{Tensor::ones({32, 1, 1, 8})};
  const Tensor d = Tensor::ones({32});
  for (const bool training : {true, false}) {
    REQUIRE(fuses_with_batch_norm(rows, {.training = training}) == training);
    CHECK(testing::error_message([&] {
            conv_batch_norm_relu(Tensor::ones({6, 8}), rows, d, d, d.clone(), d.clone(),
                                 {.training = training});
          }) ==
          "conv2d: expected input [B,H,W,C] and weight [O,kh,kw,C/groups], got [6,8] and "
          "[32,1,1,8]");
  }
}

}  // namespace
}  // namespace diagrad
