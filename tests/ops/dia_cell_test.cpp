#include "diagrad/ops/dia_cell.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/trace.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

constexpr int64_t kBatch = 6;
constexpr int64_t kChannels = 10;
constexpr int64_t kHidden = 3;

/// The cell of the contract, operation by operation.
LstmState composed(const Tensor& y, const LstmState& state, const DiaBottleneck& x,
                   const DiaBottleneck& h, const LstmGatesOptions& options) {
  const auto side = [](const Tensor& input, const DiaBottleneck& b) {
    return linear(relu(linear(input, b.down, b.down_bias)), b.up, b.up_bias);
  };
  return lstm_gates(add(side(y, x), side(state.h, h)), state.c, options);
}

using Step = LstmState (*)(const Tensor&, const LstmState&, const DiaBottleneck&,
                           const DiaBottleneck&, const LstmGatesOptions&);

/// Leaves: three inputs, an initial state, eight weights.
std::vector<Tensor> make_leaves() {
  RandomStream random(3, stream_id("dia_cell"));
  std::vector<Tensor> leaves;
  for (int i = 0; i < 5; ++i) leaves.push_back(testing::random_input(random, {kBatch, kChannels}));
  for (int side = 0; side < 2; ++side) {
    leaves.push_back(testing::random_input(random, {kHidden, kChannels}));
    leaves.push_back(testing::random_input(random, {kHidden}));
    leaves.push_back(testing::random_input(random, {4 * kChannels, kHidden}));
    leaves.push_back(testing::random_input(random, {4 * kChannels}));
  }
  for (const Tensor& leaf : leaves) leaf.set_requires_grad(true);
  return leaves;
}

/// Three calls of one cell, as by three blocks of a stage: the sum of all h squared, and the last
/// c.
Tensor run(Step step, const std::vector<Tensor>& leaves, GateOutput output) {
  LstmState state{leaves[3], leaves[4]};
  Tensor total;
  for (size_t t = 0; t < 3; ++t) {
    const autograd::CallScope scope("cell", static_cast<int>(t));
    state = step(leaves[t], state, {leaves[5], leaves[6], leaves[7], leaves[8]},
                 {leaves[9], leaves[10], leaves[11], leaves[12]}, {.output = output});
    const Tensor part = sum(mul(state.h, state.h));
    total = total.defined() ? add(total, part) : part;
  }
  return add(total, sum(state.c));
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double result = 0.0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    result = std::max(result, std::abs(a.data<double>()[i] - b.data<double>()[i]));
  }
  return result;
}

TEST_CASE("three calls of dia_cell and their gradients are those of the composed cell") {
  for (const GateOutput output : {GateOutput::sigmoid, GateOutput::tanh, GateOutput::relu}) {
    const std::vector<Tensor> leaves = make_leaves();
    const Tensor fused = run(dia_cell, leaves, output);
    const Tensor apart = run(composed, leaves, output);
    CHECK(std::abs(fused.item() - apart.item()) <= 1e-12);
    backward(fused);
    std::vector<Tensor> gradients;
    for (const Tensor& leaf : leaves) {
      gradients.push_back(leaf.grad().clone());
      leaf.set_grad({});
    }
    backward(apart);
    for (size_t i = 0; i < leaves.size(); ++i) {
      CAPTURE(i);
      CHECK(largest_difference(gradients[i], leaves[i].grad()) <= 1e-12);
    }
  }
}

TEST_CASE("a trace tells the share of each call of a dia_cell") {
  const std::vector<Tensor> leaves = make_leaves();
  const auto shares = [&](Step step) {
    const autograd::GradientTrace trace;
    backward(run(step, leaves, GateOutput::sigmoid));
    std::vector<Tensor> result;
    for (size_t i = 5; i < leaves.size(); ++i) {
      const auto parts = trace.contributions(leaves[i]);
      REQUIRE(parts.size() == 3);
      for (int call = 0; call < 3; ++call) {
        CHECK(parts[static_cast<size_t>(call)].call.call == call);
        result.push_back(parts[static_cast<size_t>(call)].gradient);
      }
    }
    return result;
  };
  const std::vector<Tensor> fused = shares(dia_cell);
  const std::vector<Tensor> apart = shares(composed);
  for (size_t i = 0; i < fused.size(); ++i) CHECK(largest_difference(fused[i], apart[i]) <= 1e-12);
}

TEST_CASE("dia_cell says what does not fit, with the numbers") {
  const auto side = [](int64_t inputs, int64_t gates) {
    return DiaBottleneck{Tensor::zeros({2, inputs}), Tensor::zeros({2}), Tensor::zeros({gates, 2}),
                         Tensor::zeros({gates})};
  };
  const Tensor y = Tensor::zeros({3, 4});
  CHECK(testing::error_message([&] {
          dia_cell(y, {Tensor::zeros({3, 5}), y}, side(4, 16), side(4, 16));
        }) ==
        "dia_cell: expected input [B,C] and a state of that shape, got [3,4], h [3,5] and c [3,4]");
  CHECK(testing::error_message([&] {
          dia_cell(y, {y, y}, side(4, 16), side(4, 12));
        }) ==
        "dia_cell: weights of the state side are [2,4], [2], [12,2], [12]; expected [m,4], [m], "
        "[16,m], [16] for input [3,4]");
  CHECK(
      testing::error_message([&] {
        dia_cell(y, {y, Tensor::zeros({3, 4}, DType::f64)}, side(4, 16), side(4, 16));
      }) ==
      "dia_cell: input is f32 but a tensor [3,4] of state or weights is f64; convert with to() so "
      "that they agree");
}

}  // namespace
}  // namespace diagrad
