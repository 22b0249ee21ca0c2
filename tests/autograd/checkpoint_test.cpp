#include "diagrad/autograd/checkpoint.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/autograd/trace.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/inplace.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad::autograd {
namespace {

using testing::error_message;
using Tensors = std::vector<Tensor>;

Tensor leaf(uint64_t seed, const Shape& shape) {
  RandomStream random(seed, stream_id("checkpoint test"));
  const Tensor tensor = normal(shape, 0.0, 1.0, random);
  tensor.set_requires_grad(true);
  return tensor;
}

void check_same_bits(const Tensor& a, const Tensor& b) {
  REQUIRE(a.defined());
  REQUIRE(b.defined());
  REQUIRE(a.shape() == b.shape());
  const Tensor left = a.contiguous();  // gradients may be expanded
  const Tensor right = b.contiguous();
  CHECK(std::memcmp(left.raw_data(), right.raw_data(), static_cast<size_t>(a.numel()) * 4) == 0);
}

/// `steps` calls of one recurrent cell with shared weights, h' = tanh(x w + h u), x' = x + h' x;
/// every call a checkpoint or none. The gradients of x, w and u.
Tensors cell_gradients(bool with_checkpoints, int steps, int passes = 1) {
  const Tensor x0 = leaf(1, {6, 5});
  const Tensor w = leaf(2, {5, 5});
  const Tensor u = leaf(3, {5, 5});
  for (int pass = 0; pass < passes; ++pass) {
    Tensor x = x0;
    Tensor h = Tensor::zeros({6, 5});
    for (int t = 0; t < steps; ++t) {
      const auto cell = [&w, &u, t](std::span<const Tensor> in) -> Tensors {
        const CallScope call("cell", t);
        const Tensor next = tanh(add(matmul(in[0], w), matmul(in[1], u)));
        return {add(in[0], mul(next, in[0])), next};
      };
      const Tensors inputs = {x, h};
      const Tensors results = with_checkpoints ? checkpoint(cell, inputs) : cell(inputs);
      x = results[0];
      h = results[1];
    }
    backward(sum(mul(x, h)));
  }
  return {x0.grad(), w.grad(), u.grad()};
}

TEST_CASE("checkpoints change no bit of gradients, shared parameters and states included") {
  for (const int passes : {1, 3}) {  // later ones add to gradients that are there
    const Tensors plain = cell_gradients(false, 5, passes);
    const Tensors checkpointed = cell_gradients(true, 5, passes);
    for (size_t i = 0; i < plain.size(); ++i) check_same_bits(plain[i], checkpointed[i]);
  }
}

TEST_CASE("the shares of each call of a shared parameter are heard through checkpoints") {
  const auto shares = [](bool with_checkpoints) {
    const Tensor w = leaf(2, {4, 4});
    Tensor x = leaf(1, {3, 4});
    for (int t = 0; t < 3; ++t) {
      const auto cell = [&w, t](std::span<const Tensor> in) -> Tensors {
        const CallScope call("cell", t);
        return {tanh(matmul(in[0], w))};
      };
      x = with_checkpoints ? checkpoint(cell, {&x, 1})[0] : cell({&x, 1})[0];
    }
    const GradientTrace trace;
    backward(sum(x));
    return trace.contributions(w);
  };
  const auto plain = shares(false);
  const auto checkpointed = shares(true);
  REQUIRE(plain.size() == 3);
  REQUIRE(checkpointed.size() == 3);
  for (size_t t = 0; t < 3; ++t) {
    CHECK(checkpointed[t].call == plain[t].call);
    check_same_bits(checkpointed[t].gradient, plain[t].gradient);
  }
}

TEST_CASE("a checkpoint within the scope of a call keeps its label") {
  const Tensor w = leaf(2, {3});
  const auto square = [](std::span<const Tensor> in) -> Tensors { return {mul(in[0], in[0])}; };
  Tensor y;
  {
    const CallScope call("unit", 4);
    y = checkpoint(square, {&w, 1})[0];
  }
  const GradientTrace trace;
  backward(sum(y));
  REQUIRE(trace.contributions(w).size() == 1);
  CHECK(*trace.contributions(w)[0].call.unit == "unit");
  CHECK(trace.contributions(w)[0].call.call == 4);
}

TEST_CASE("gradients of parameters alone, of inner tensors and of chosen inputs") {
  const Tensor x = leaf(1, {2, 3}).detach();  // needs no gradient
  const Tensor w = leaf(2, {3, 3});
  const auto layer = [&w](std::span<const Tensor> in) -> Tensors { return {matmul(in[0], w)}; };
  const Tensor y = checkpoint(layer, {&x, 1})[0];
  REQUIRE(y.requires_grad());
  const Tensor expected = grad({sum(matmul(x, w))}, {w})[0];
  check_same_bits(grad({sum(y)}, {w}, {}, {.retain_graph = true})[0], expected);
  CHECK_FALSE(w.grad().defined());
  // The gradient of the checkpoint's own result.
  check_same_bits(grad({sum(y)}, {y}, {}, {.retain_graph = true})[0], Tensor::ones({2, 3}));
  backward(sum(y));
  check_same_bits(w.grad(), expected);
  CHECK(error_message([&] {
          backward(sum(y));
        }).find("the graph behind checkpoint was freed by an earlier backward") !=
        std::string::npos);
}

TEST_CASE("derivatives through nested checkpoints agree with differences, twice over one graph") {
  const auto inner = [](std::span<const Tensor> in) -> Tensors {
    return {mul(in[0], tanh(in[1]))};
  };
  const auto outer = [inner](std::span<const Tensor> in) -> Tensors {
    const Tensors results = checkpoint(inner, in);
    return {add(results[0], in[0]), sigmoid(results[0])};
  };
  const Tensors doubles = {leaf(1, {4}).detach().to(DType::f64),
                           leaf(2, {4}).detach().to(DType::f64)};
  for (const Tensor& tensor : doubles) tensor.set_requires_grad(true);
  const auto product = [&](std::span<const Tensor> in) -> Tensors {
    const Tensors both = checkpoint(outer, in);
    return {mul(both[0], both[1])};
  };
  const GradcheckResult result = gradcheck(product, doubles);
  CHECK_MESSAGE(result.passed, result.message);
  const Tensor x = leaf(3, {4});
  const Tensor y = leaf(4, {4});
  const Tensors inputs = {x, y};
  const Tensor root = sum(checkpoint(outer, inputs)[1]);
  const Tensor first = grad({root}, {x}, {}, {.retain_graph = true})[0];
  check_same_bits(grad({root}, {x}, {}, {.retain_graph = true})[0], first);
  check_same_bits(grad({root}, {x})[0], first);
}

TEST_CASE("the function runs twice, the second time recomputing, and not at all without a graph") {
  int runs = 0;
  int again = 0;
  const auto count = [&](std::span<const Tensor> in) -> Tensors {
    ++runs;
    again += is_recomputing() ? 1 : 0;
    return {mul(in[0], in[0]), Tensor::ones({1}), Tensor()};
  };
  const Tensor x = leaf(1, {3});
  {
    const NoGrad no_grad;
    CHECK_FALSE(checkpoint(count, {&x, 1})[0].requires_grad());
  }
  CHECK(runs == 1);
  const Tensors results = checkpoint(count, {&x, 1});
  CHECK(results[0].requires_grad());
  CHECK_FALSE(results[1].requires_grad());
  CHECK_FALSE(results[2].defined());
  CHECK(again == 0);
  backward(sum(results[0]));
  CHECK(runs == 3);
  CHECK(again == 1);
  CHECK_FALSE(is_recomputing());
}

TEST_CASE("running statistics take a batch into account once") {
  const Tensor x = leaf(1, {8, 3});
  const auto statistics = [&](bool with_checkpoint) {
    const Tensor mean = Tensor::zeros({3});
    const Tensor variance = Tensor::ones({3});
    const auto norm = [&](std::span<const Tensor> in) -> Tensors {
      return {batch_norm_relu(in[0], {}, {}, mean, variance, {.training = true})};
    };
    backward(sum(with_checkpoint ? checkpoint(norm, {&x, 1})[0] : norm({&x, 1})[0]));
    return Tensors{mean, variance};
  };
  const Tensors plain = statistics(false);
  const Tensors checkpointed = statistics(true);
  for (size_t i = 0; i < 2; ++i) check_same_bits(plain[i], checkpointed[i]);
}

TEST_CASE("an input that was changed, and a function that gives something else, are refused") {
  const Tensor w = leaf(1, {3});
  const Tensor x = leaf(2, {3}).detach();
  const auto product = [&w](std::span<const Tensor> in) -> Tensors { return {mul(in[0], w)}; };
  const Tensor y = checkpoint(product, {&x, 1})[0];
  mul_(x, 2.0);
  CHECK(error_message([&] {
          backward(sum(y));
        }).find("backward of checkpoint: input 0 of shape [3] was changed in place since") == 0);
  const auto moody = [&w](std::span<const Tensor> in) -> Tensors {
    if (is_recomputing()) return {sum(mul(in[0], w))};
    return {mul(in[0], w)};
  };
  CHECK(error_message([&] {
          backward(sum(checkpoint(moody, {&x, 1})[0]));
        }) ==
        "backward of checkpoint: run again, result 0 of the function is not f32 [3] with a "
        "gradient, as at first; it must give the same each time");
  const auto growing = [&w](std::span<const Tensor> in) -> Tensors {
    Tensors results = {mul(in[0], w)};
    if (is_recomputing()) results.push_back(results[0]);
    return results;
  };
  CHECK(error_message([&] {
          backward(sum(checkpoint(growing, {&x, 1})[0]));
        }) == "backward of checkpoint: the function gave 1 results, run again 2");
}

TEST_CASE("checkpoints keep their inputs alone: the peak falls") {
  const auto peak = [](bool with_checkpoints) {
    Tensor x = leaf(1, {256, 256});
    const Tensor root = x;
    CpuAllocator& allocator = CpuAllocator::instance();
    allocator.reset_peak();
    const int64_t before = allocator.stats().current_bytes;
    for (int block = 0; block < 8; ++block) {
      const auto run = [](std::span<const Tensor> in) -> Tensors {
        Tensor y = in[0];
        for (int i = 0; i < 8; ++i) y = tanh(mul(y, y));
        return {y};
      };
      x = with_checkpoints ? checkpoint(run, {&x, 1})[0] : run({&x, 1})[0];
    }
    backward(sum(x));
    return allocator.stats().peak_bytes - before;
  };
  CHECK(peak(true) < peak(false) / 3);
}

}  // namespace
}  // namespace diagrad::autograd
