#include "diagrad/nn/gradcheck_module.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/record.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/nn/sequential.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reduce.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;
using testing::random_input;

Tensor input(const Shape& shape) {
  RandomStream random(1, stream_id("gradcheck input"));
  return random_input(random, shape);
}

/// x * a, with a bug of choice.
enum class Bug { none, unused, wrong_derivative, wrong_in_evaluation, no_derivative, hidden_state };

/// x * a, whose derivative for a is `factor` times the right one.
Tensor scaled(const Tensor& x, const Tensor& a, double factor) {
  const Tensor y = mul(x.detach(), a.detach());
  return autograd::record({"scaled"}, {x, a}, y,
                          [=, x = autograd::SavedTensor(x),
                           a = autograd::SavedTensor(a)](const autograd::BackwardContext& context) {
                            const Tensor dy = context.gradient();
                            const Tensor da = sum(mul(dy, x.get(context)), {.axes = {0}});
                            return autograd::Gradients{mul(dy, a.get(context)), mul(da, factor)};
                          });
}

class Planted : public Module {
 public:
  explicit Planted(Bug bug)
      : bug_(bug),
        used_(add_parameter("used", Tensor::full({3}, 1.5))),
        other_(add_parameter("other", Tensor::full({3}, -0.5))) {}

  Tensor forward(const Tensor& x) override {
    Tensor y = mul(x, used_);
    if (bug_ == Bug::hidden_state) y = mul(y, ++calls_);
    if (bug_ == Bug::unused) return y;
    if (bug_ == Bug::no_derivative) return mul(y, other_.detach());
    const bool wrong =
        bug_ == Bug::wrong_derivative || (bug_ == Bug::wrong_in_evaluation && !is_training());
    return scaled(y, other_, wrong ? 1.01 : 1.0);
  }

 private:
  Bug bug_;
  double calls_ = 0.0;
  Tensor used_, other_;
};

std::string complaint(Bug bug, const GradcheckModuleOptions& options = {}) {
  Planted module(bug);
  return gradcheck_module(module, {input({4, 3})}, options).message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a right module passes, a planted bug is found and named") {
  CHECK(complaint(Bug::none).empty());
  CHECK(
      complaint(Bug::unused) ==
      "training: no effect on the output: parameter other; forgotten in forward, or cut off, as by "
      "a ReLU at 0?");
  CHECK(contains(complaint(Bug::wrong_derivative), "training: parameter other [3], element "));
  CHECK(contains(complaint(Bug::no_derivative), "training: parameter other [3], element "));
  CHECK(contains(complaint(Bug::no_derivative), "derivative 0, central difference "));
  CHECK(contains(complaint(Bug::hidden_state), "training: two evaluations of the same inputs"));
}

TEST_CASE("both modes are checked unless one is left out") {
  CHECK(contains(complaint(Bug::wrong_in_evaluation), "evaluation: parameter other [3], element "));
  CHECK(complaint(Bug::wrong_in_evaluation, {.evaluation = false}).empty());
  CHECK(contains(complaint(Bug::wrong_in_evaluation, {.training = false}), "evaluation: "));
}

TEST_CASE("frozen parameters are left out") {
  Planted module(Bug::unused);
  module.named_parameters()[1].tensor.set_requires_grad(false);
  CHECK(gradcheck_module(module, {input({4, 3})}).passed);
  CHECK_FALSE(module.named_parameters()[1].tensor.requires_grad());
}

/// x times a buffer that doubles with each call while training.
class Doubling : public Module {
 public:
  Doubling() : factor_(add_buffer("factor", Tensor::full({3}, 0.25))) {}
  Tensor forward(const Tensor& x) override {
    const Tensor y = mul(x, factor_.clone());
    if (is_training()) factor_.copy_(mul(factor_, 2.0));
    return y;
  }
  Tensor factor_;
};

TEST_CASE("buffers are put back before each evaluation and at the end") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Doubling module;
    module.to(dtype);
    for (const bool evaluation : {true, false}) {
      const auto result = gradcheck_module(module, {input({4, 3})}, {.evaluation = evaluation});
      CHECK_MESSAGE(result.passed, result.message);
    }
    CHECK(module.factor_.dtype() == dtype);
    CHECK(module.factor_.to(DType::f64).data<double>()[0] == 0.25);
  }
}

TEST_CASE("masks repeat, so that random layers can be checked") {
  RandomStream random(1, 1);
  Sequential net;
  net.append(Linear({3, 8}, random)).append(Dropout({.p = 0.4})).append(Linear({8, 2}, random));
  const auto result = gradcheck_module(net, {input({4, 3})});
  CHECK_MESSAGE(result.passed, result.message);
  CHECK(result.worst > 0.0);
}

TEST_CASE("the module is afterwards what it was") {
  RandomStream random(1, 1);
  Sequential net;
  net.append(Linear({3, 4}, random)).append(BatchNorm2d({.channels = 4}));
  net.children()[1].second->eval();
  const Tensor weight = net.state_dict().at("0.weight");
  const Tensor x = input({6, 3}).to(DType::f32);
  backward(sum(net.forward(x)));
  StateDict before;
  for (const auto& named : net.state_dict()) before[named.first] = named.second.clone();
  const Tensor gradient = weight.grad();

  const auto result = gradcheck_module(net, {x});
  CHECK_MESSAGE(result.passed, result.message);
  for (const auto& named : net.state_dict()) {
    CHECK(named.second.dtype() == DType::f32);
    CHECK(std::equal(named.second.data<float>(), named.second.data<float>() + named.second.numel(),
                     before.at(named.first).data<float>()));
  }
  CHECK(weight.grad().is_same(gradient));
  CHECK(net.is_training());
  CHECK_FALSE(net.children()[1].second->is_training());
  CHECK_FALSE(x.requires_grad());
  backward(sum(net.forward(x)));
  CHECK(weight.grad().dtype() == DType::f32);

  net.to(DType::f64);
  net.train();
  const Tensor mean = net.state_dict().at("1.running_mean");
  CHECK(gradcheck_module(net, {x}).passed);
  CHECK(mean.data<double>()[0] ==
        static_cast<double>(before.at("1.running_mean").data<float>()[0]));
}

TEST_CASE("a module of several inputs says how it is called") {
  RandomStream random(1, 1);
  Linear layer({3, 3}, random);
  const std::vector<Tensor> inputs = {input({2, 3}), input({2, 3})};
  CHECK(error_message([&] { gradcheck_module(layer, inputs); }) ==
        "gradcheck_module: 2 inputs; give options.forward, which calls the module with them");
  const auto both = [&](std::span<const Tensor> given) {
    return std::vector<Tensor>{mul(layer.forward(given[0]), given[1])};
  };
  CHECK(gradcheck_module(layer, inputs, {.forward = both}).passed);
  const auto first_only = [&](std::span<const Tensor> given) {
    return std::vector<Tensor>{layer.forward(given[0])};
  };
  CHECK(contains(gradcheck_module(layer, inputs, {.forward = first_only}).message,
                 "no effect on the output: input 1; forgotten"));
}

TEST_CASE("what has nothing to differentiate is refused") {
  Identity nothing;
  CHECK(
      contains(error_message([&] { gradcheck_module(nothing, {Tensor::zeros({2}, DType::i64)}); }),
               "neither inputs nor parameters have gradients"));
  CHECK(contains(error_message([&] {
                   gradcheck_module(nothing, {input({2})},
                                    {.training = false, .evaluation = false});
                 }),
                 "neither training nor evaluation"));
  CHECK(gradcheck_module(nothing, {input({2})}).passed);
}

}  // namespace
}  // namespace diagrad::nn
