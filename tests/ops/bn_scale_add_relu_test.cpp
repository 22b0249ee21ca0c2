#include "diagrad/ops/bn_scale_add_relu.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "diagrad/autograd/engine.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/pool.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

struct Inputs {
  explicit Inputs(DType dtype) {
    RandomStream random(3, 1);
    x = uniform({6, 8, 8, 24}, 0.0, 2.0, random, dtype).set_requires_grad(true);
    gamma = uniform({24}, 0.5, 1.5, random, dtype).set_requires_grad(true);
    beta = uniform({24}, -0.5, 0.5, random, dtype).set_requires_grad(true);
    residual = uniform({6, 8, 8, 24}, -1.0, 1.0, random, dtype).set_requires_grad(true);
    mean = Tensor::zeros({24}, dtype);
    var = Tensor::ones({24}, dtype);
  }
  std::vector<Tensor> gradients(const Tensor& y) const {
    const Tensor wanted = y.rank() == 0 ? y : Tensor::ones(y.shape(), y.dtype());
    return autograd::grad({y}, {x, gamma, beta}, {wanted});
  }
  Tensor x, gamma, beta, residual, mean, var;
};

double largest_difference(const Tensor& a, const Tensor& b) {
  const Tensor left = a.to(DType::f64).contiguous();
  const Tensor right = b.to(DType::f64).contiguous();
  double largest = 0.0;
  for (int64_t i = 0; i < left.numel(); ++i) {
    largest = std::max(largest, std::abs(left.data<double>()[i] - right.data<double>()[i]));
  }
  return largest;
}

TEST_CASE("a join gives what its operations give one by one") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const double tolerance = dtype == DType::f64 ? 1e-12 : 2e-5;
    const Inputs fused(dtype);
    const Inputs single(dtype);
    BnScaleAddRelu join(fused.x, fused.gamma, fused.beta, fused.mean, fused.var,
                        {.training = true});
    const Tensor z = join.scale_add_relu(sigmoid(join.pooled()), fused.residual);
    const Tensor y = batch_norm(single.x, single.gamma, single.beta, single.mean, single.var,
                                {.training = true});
    const Tensor expected = channel_scale_add_relu(y, sigmoid(global_avg_pool(y)), single.residual);
    CHECK(largest_difference(z, expected) < tolerance);
    CHECK(largest_difference(fused.mean, single.mean) < tolerance);
    CHECK(largest_difference(fused.var, single.var) < tolerance);
    const std::vector<Tensor> got = fused.gradients(mul(z, z));
    const std::vector<Tensor> wanted = single.gradients(mul(expected, expected));
    for (size_t i = 0; i < got.size(); ++i) {
      CHECK(largest_difference(got[i], wanted[i]) < 100 * tolerance);
    }
  }
}

TEST_CASE("the pooled activations of a join have a gradient of their own") {
  const Inputs in(DType::f64);
  const BnScaleAddRelu join(in.x, in.gamma, in.beta, in.mean, in.var, {.training = true});
  const Tensor y = batch_norm(in.x, in.gamma, in.beta, {}, {}, {.training = true});
  const Tensor pooled = global_avg_pool(y);
  CHECK(largest_difference(join.pooled(), pooled) < 1e-12);
  const auto got = in.gradients(mul(join.pooled(), join.pooled()));
  const auto wanted = in.gradients(mul(pooled, pooled));
  for (size_t i = 0; i < got.size(); ++i) CHECK(largest_difference(got[i], wanted[i]) < 1e-12);
}

TEST_CASE("backward through a join may be repeated while the graph is kept") {
  const Inputs in(DType::f64);
  BnScaleAddRelu join(in.x, in.gamma, in.beta, in.mean, in.var, {.training = true});
  const Tensor z = join.scale_add_relu(sigmoid(join.pooled()), in.residual);
  const Tensor ones = Tensor::ones(z.shape(), z.dtype());
  const auto first = autograd::grad({z}, {in.x}, {ones}, {.retain_graph = true});
  const auto second = autograd::grad({z}, {in.x}, {ones}, {.retain_graph = true});
  CHECK(largest_difference(first[0], second[0]) == 0.0);
}

TEST_CASE("a join refuses what does not fit") {
  const Inputs in(DType::f32);
  const auto join = [&] {
    return BnScaleAddRelu(in.x, in.gamma, in.beta, in.mean, in.var, {.training = true});
  };
  const Tensor s = Tensor::ones({6, 24});
  CHECK(error_message([&] {
          join().scale_add_relu(Tensor::ones({6, 12}), in.residual);
        }) == "bn_scale_add_relu: factors have shape [6,12], expected [6,24] for input [6,8,8,24]");
  CHECK(error_message([&] { join().scale_add_relu(s, s); }) ==
        "bn_scale_add_relu: residual has shape [6,24], input [6,8,8,24]; they must be equal");
  CHECK(
      error_message([&] { join().scale_add_relu(s.to(DType::f64), in.residual); }) ==
      "bn_scale_add_relu: input is f32, factors f64, residual f32; convert with to() so that they "
      "agree");
  CHECK(error_message([&] { join().scale_add_relu({}, in.residual); }) ==
        "bn_scale_add_relu: no factors given; use add_relu() for none");
  CHECK(error_message([&] {
          BnScaleAddRelu twice = join();
          twice.add_relu(in.residual);
          twice.add_relu(in.residual);
        }) == "bn_scale_add_relu: gives one result; make a new one for another");
  CHECK(error_message([&] {
          BnScaleAddRelu(Tensor::ones({0, 4, 4, 24}), {}, {}, in.mean, in.var);
        }) == "bn_scale_add_relu: input [0,4,4,24] has nothing to pool");
}

}  // namespace
}  // namespace diagrad
