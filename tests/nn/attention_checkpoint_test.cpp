// Checkpoints of an attention pass whose function has several inputs.
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() && a.shape() == b.shape() &&
         std::memcmp(a.contiguous().raw_data(), b.contiguous().raw_data(),
                     static_cast<size_t>(a.numel() * size_of(a.dtype()))) == 0;
}

/// Two blocks that share a unit: x + attention(x skip) + shift, where `shift` comes from a layer
/// outside of the checkpoints and serves both. The loss and all gradients, in order.
std::vector<Tensor> run(bool checkpoints) {
  RandomStream random(1, stream_id("unit"));
  const AttentionPlan plan(AttentionFactory("dia-lstm", "stage"),
                           {.model = "net",
                            .sites = {{"a.0", "a", {{Placement::pre_add, 4, 2}}},
                                      {"a.1", "a", {{Placement::pre_add, 4, 2}}}}},
                           random);
  Linear outside({4, 4}, random);
  const auto leaf = [&](const Shape& shape) {
    Tensor tensor = uniform(shape, -1.0, 1.0, random);
    tensor.set_requires_grad(true);
    return tensor;
  };
  const Tensor x = leaf({2, 2, 2, 4});
  const Tensor skip = leaf({2, 2, 2, 4});
  const Tensor source = leaf({2, 1, 1, 4});
  const Tensor shift = outside.forward(source);

  AttentionPass pass(plan);
  Tensor y = x;
  for (size_t site = 0; site < 2; ++site) {
    const auto block = [site](std::span<const Tensor> inputs, AttentionPass& own) {
      const Tensor attended = own.at(site).apply(inputs[0] * inputs[1]);
      return inputs[0] + attended + inputs[2];
    };
    const std::vector<Tensor> inputs = {y, skip, shift};
    y = checkpoints ? pass.checkpoint(inputs, block) : block(inputs, pass);
  }
  const Tensor loss = sum(y * y);
  backward(loss);
  std::vector<Tensor> found = {loss.detach(), x.grad(), skip.grad(), source.grad()};
  for (const NamedTensor& parameter : outside.named_parameters()) {
    found.push_back(parameter.tensor.grad());
  }
  for (const NamedTensor& parameter : plan.units().front()->named_parameters()) {
    found.push_back(parameter.tensor.grad());
  }
  return found;
}

TEST_CASE("a checkpoint of several inputs gives each its gradient, and changes no bit") {
  const std::vector<Tensor> plain = run(/*checkpoints=*/false);
  const std::vector<Tensor> checkpointed = run(/*checkpoints=*/true);
  REQUIRE(plain.size() == 4 + 2 + 8);
  REQUIRE(checkpointed.size() == plain.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(i);
    CHECK(equal_bits(plain[i], checkpointed[i]));
  }
}

}  // namespace
}  // namespace diagrad::nn
