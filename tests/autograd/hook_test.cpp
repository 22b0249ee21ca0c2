#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/observer.h"
#include "diagrad/autograd/trace.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/cast.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using testing::error_message;

Tensor leaf(std::initializer_list<double> values) {
  const Tensor x = Tensor::from<double>(values, {static_cast<int64_t>(values.size())});
  x.set_requires_grad(true);
  return x;
}

TEST_CASE("a hook on an inner tensor sees the sum of its uses once per pass") {
  const Tensor x = leaf({3.0});
  const Tensor inner = x * 2.0;
  std::vector<double> seen;
  autograd::add_hook(inner, [&](const Tensor& gradient) {
    seen.push_back(gradient.item());
    return Tensor();
  });
  backward(inner * inner + inner * 5.0);
  CHECK(seen == std::vector<double>{17.0});
  CHECK(x.grad().item() == 34.0);
}

TEST_CASE("hooks run in the order they were added, each on what the one before made of it") {
  const Tensor x = leaf({1.0});
  const Tensor inner = x * 1.0;
  autograd::add_hook(inner, [](const Tensor& gradient) { return gradient + 1.0; });
  autograd::add_hook(inner, [](const Tensor& gradient) { return gradient * 10.0; });
  backward(inner * 1.0);
  CHECK(x.grad().item() == 20.0);
  CHECK(autograd::grad({inner * 1.0}, {inner})[0].item() == 20.0);
}

TEST_CASE("a hook may remove itself or add another") {
  const Tensor x = leaf({1.0});
  int first = 0;
  int second = 0;
  autograd::HookHandle handle;
  handle = autograd::add_hook(x, [&](const Tensor&) {
    ++first;
    autograd::remove_hook(handle);
    for (int i = 0; i < 8; ++i) {
      autograd::add_hook(x, [&](const Tensor&) {
        ++second;
        return Tensor();
      });
    }
    return Tensor();
  });
  backward(x * 2.0);
  CHECK(first == 1);
  CHECK(second == 0);  // added ones count from the next pass on
  backward(x * 2.0);
  CHECK(first == 1);
  CHECK(second == 8);
}

TEST_CASE("a hook that returns another shape is told so, and needs a tensor with gradients") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor inner = x * 2.0;
  autograd::add_hook(inner, [](const Tensor& gradient) { return sum(gradient); });
  CHECK(error_message([&] { backward(sum(inner)); }) ==
        "hook on the result of affine: returned f64 [], expected f64 [2]");
  CHECK(error_message([&] { autograd::add_hook(x.detach(), {}); }) ==
        "add_hook: the tensor of shape [2] does not require gradients");
  autograd::remove_hook({});  // of no tensor: nothing to do
}

TEST_CASE("retain_grad keeps the gradient of an inner tensor, by each pass anew") {
  const Tensor x = leaf({3.0});
  const Tensor inner = x * 2.0;
  autograd::retain_grad(inner);
  backward(inner * inner, {}, {.retain_graph = true});
  CHECK(inner.grad().item() == 12.0);
  backward(inner * 7.0);
  CHECK(inner.grad().item() == 7.0);
  CHECK(x.grad().item() == 38.0);
}

TEST_CASE("retain_grad of a leaf changes nothing, and of a tensor without gradients is an error") {
  const Tensor x = leaf({3.0});
  backward(x * 10.0);
  autograd::retain_grad(x);
  autograd::retain_grad(x);
  backward(x * 2.0);
  CHECK(x.grad().item() == 12.0);
  backward(x * x);
  CHECK(x.grad().item() == 18.0);
  CHECK(error_message([&] { autograd::retain_grad(x.detach()); }) ==
        "retain_grad: the tensor of shape [1] does not require gradients");
}

struct EdgeLog : autograd::EdgeListener {
  std::vector<std::string> lines;
  void on_edge(const autograd::Node& consumer, const autograd::Edge& edge,
               const autograd::CallLabel& call, const Tensor& gradient) override {
    lines.push_back(fmt::format("{}#{} -> {}: {}", consumer.op().name, call.call,
                                edge.node->op().name, gradient.item()));
  }
};

TEST_CASE("an edge listener hears each use of each tensor with its own gradient") {
  const Tensor x = leaf({3.0});
  EdgeLog log;
  const Tensor y = [&] {
    const autograd::CallScope scope("unit", 4);
    return x * x;
  }();
  const Tensor root = y * 2.0;
  autograd::EdgeListener* before = autograd::set_edge_listener(&log);
  backward(root);
  CHECK(autograd::set_edge_listener(before) == &log);
  CHECK(log.lines ==
        std::vector<std::string>{"affine#-1 -> mul: 2", "mul#4 -> leaf: 6", "mul#4 -> leaf: 6"});
}

/// A recurrent unit: h = tanh(h W + b), used `steps` times.
struct Unit {
  Tensor weight, bias;
};

Tensor run_unit(const Unit& unit, const Tensor& x, int first_call, int steps) {
  Tensor h = x;
  for (int t = 0; t < steps; ++t) {
    const autograd::CallScope scope("unit", first_call + t);
    h = tanh(matmul(h, unit.weight) + unit.bias);
  }
  return h;
}

void check_shares(const autograd::GradientTrace& trace, const Tensor& leaf, size_t calls) {
  const auto shares = trace.contributions(leaf);
  REQUIRE(shares.size() == calls);
  Tensor total = Tensor::zeros_like(leaf);
  for (const auto& share : shares) {
    CHECK(share.gradient.shape() == leaf.shape());
    total = total + share.gradient;
  }
  for (int64_t i = 0; i < leaf.numel(); ++i) {
    CHECK(total.data<double>()[i] == doctest::Approx(leaf.grad().data<double>()[i]).epsilon(1e-12));
  }
}

TEST_CASE("the shares of T calls of a unit add up to the gradient of its parameters") {
  RandomStream random(1, stream_id("trace"));
  const Unit unit{uniform({4, 4}, -1.0, 1.0, random, DType::f64),
                  uniform({4}, -1.0, 1.0, random, DType::f64)};
  unit.weight.set_requires_grad(true);
  unit.bias.set_requires_grad(true);
  const Tensor x = uniform({3, 4}, -1.0, 1.0, random, DType::f64);
  const autograd::GradientTrace trace;
  const Tensor h = run_unit(unit, x, 0, 7);
  backward(sum(h * h) + sum(unit.bias));
  check_shares(trace, unit.weight, 7);
  check_shares(trace, unit.bias, 8);  // one more for the use outside every call
  const auto shares = trace.contributions(unit.bias);
  CHECK_FALSE(shares.front().call.defined());
  CHECK(shares.front().gradient.data<double>()[0] == 1.0);
  for (int t = 0; t < 7; ++t) CHECK(shares[static_cast<size_t>(t) + 1].call.call == t);
  CHECK(trace.contributions(x).empty());
}

TEST_CASE("the share of one call is the gradient when only that call uses the parameter") {
  RandomStream random(2, stream_id("trace"));
  const Unit unit{uniform({4, 4}, -1.0, 1.0, random, DType::f64),
                  uniform({4}, -1.0, 1.0, random, DType::f64)};
  unit.weight.set_requires_grad(true);
  const Tensor x = uniform({3, 4}, -1.0, 1.0, random, DType::f64);
  const auto shares = [&] {
    const autograd::GradientTrace trace;
    backward(sum(run_unit(unit, x, 0, 3)));
    return trace.contributions(unit.weight);
  }();
  REQUIRE(shares.size() == 3);
  const Unit frozen{unit.weight.detach(), unit.bias};
  for (int t = 0; t < 3; ++t) {
    CAPTURE(t);
    const Tensor before = run_unit(frozen, x, 0, t);
    const Tensor after = run_unit(frozen, run_unit(unit, before, t, 1), t + 1, 2 - t);
    const Tensor alone = autograd::grad({sum(after)}, {unit.weight})[0];
    const Tensor share = shares[static_cast<size_t>(t)].gradient;
    for (int64_t i = 0; i < 16; ++i) {
      CHECK(share.data<double>()[i] == doctest::Approx(alone.data<double>()[i]).epsilon(1e-12));
    }
  }
}

TEST_CASE("shares are what the calls sent: hooks between them and the parameter do not count") {
  const Tensor p = leaf({2.0});
  const Tensor shared = cast(p, DType::f32);  // made once, outside every call
  autograd::add_hook(shared, [](const Tensor& gradient) { return gradient * 10.0; });
  autograd::add_hook(p, [](const Tensor& gradient) { return gradient + 1.0; });
  Tensor used[2];
  for (int call = 0; call < 2; ++call) {
    const autograd::CallScope scope("unit", call);
    used[call] = shared * (call + 3.0);
  }
  const autograd::GradientTrace trace;
  backward(used[0] + used[1]);
  CHECK(p.grad().item() == 71.0);
  const auto shares = trace.contributions(p);
  REQUIRE(shares.size() == 2);
  CHECK(shares[0].gradient.item() == 3.0);
  CHECK(shares[1].gradient.item() == 4.0);
}

TEST_CASE("traces end with their scope, and the innermost one listens") {
  const Tensor x = leaf({2.0});
  const autograd::GradientTrace outer;
  {
    const autograd::GradientTrace inner;
    backward(x * 3.0);
    CHECK(inner.contributions(x).size() == 1);
  }
  CHECK(outer.contributions(x).empty());
  backward(x * 3.0);
  CHECK(outer.contributions(x)[0].gradient.item() == 3.0);
}

struct OpLog : autograd::OpObserver {
  std::vector<std::string> lines;
  void on_forward(const autograd::OpInfo& op, std::span<const Tensor> inputs,
                  std::span<const Tensor> /*outputs*/) override {
    lines.push_back(fmt::format("{} of {}", op.name, inputs.size()));
  }
  void on_backward_start(const autograd::OpInfo& op, std::span<const Tensor> gradients) override {
    lines.push_back(fmt::format("into {}: {}", op.name, gradients[0].item()));
  }
  void on_saved_read(const Tensor& saved) override {
    lines.push_back(fmt::format("reads {}", saved.item()));
  }
  void on_backward(const autograd::OpInfo& op, std::span<const Tensor> gradients) override {
    lines.push_back(fmt::format("backward of {}: {}", op.name, gradients[0].item()));
  }
};

TEST_CASE("an observer sees operations forward, recorded or not, and backward") {
  const Tensor x = leaf({2.0});
  OpLog log;
  {
    const autograd::ObserverScope scope(log);
    const Tensor y = x * 3.0;
    backward(y * x.detach());
  }
  CHECK(autograd::current_observer() != &log);
  CHECK(log.lines == std::vector<std::string>{"affine of 1", "mul of 2", "into mul: 1", "reads 2",
                                              "backward of mul: 2", "into affine: 2",
                                              "backward of affine: 6"});
}

}  // namespace
}  // namespace diagrad
