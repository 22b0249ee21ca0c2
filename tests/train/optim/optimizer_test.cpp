#include "diagrad/train/optim/optimizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/nn/safetensors.h"
#include "diagrad/train/optim/adamw.h"
#include "diagrad/train/optim/ema.h"
#include "diagrad/train/optim/sgd.h"
#include "diagrad/train/run/optimization.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using doctest::Approx;
using nn::checksum;
using nn::TensorMap;
using testing::error_message;

NamedParameter parameter(const std::string& name, const Tensor& value) {
  value.set_requires_grad(true);
  return {name, value};
}

/// The values of one f64 parameter that starts at 1, after each of `gradients`.
template <typename Maker>
std::vector<double> path(Maker make, std::initializer_list<double> gradients, double scale = 1.0) {
  const NamedParameter p = parameter("p", Tensor::ones({1}, DType::f64));
  const auto optimizer = make(std::vector<ParameterGroup>{{{p}, 0.1}});
  std::vector<double> values;
  for (const double gradient : gradients) {
    p.tensor.set_grad(Tensor::full({1}, gradient / scale, DType::f64));
    optimizer->step(0.1, scale);
    values.push_back(p.tensor.item());
  }
  return values;
}

auto sgd(double momentum, bool nesterov) {
  return [=](std::vector<ParameterGroup> groups) {
    return std::make_unique<Sgd>(std::move(groups), SgdOptions{momentum, nesterov});
  };
}

void check_path(const std::vector<double>& values, const std::vector<double>& expected) {
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    CHECK(values[i] == Approx(expected[i]).epsilon(1e-14));
  }
}

TEST_CASE("sgd follows PyTorch's formula with weight decay, momentum and Nesterov's form") {
  // Learning rate 0.1, weight decay 0.1, worked out by hand.
  check_path(path(sgd(0.0, false), {0.5, 0.5}), {0.94, 0.8806});
  check_path(path(sgd(0.9, false), {0.5, 0.5}), {0.94, 0.8266});
  check_path(path(sgd(0.9, true), {0.5, 0.5}), {0.886, 0.725566});
  check_path(path(sgd(0.9, true), {0.5, 0.5}, 0.25), {0.886, 0.725566});
}

TEST_CASE("adamw follows PyTorch's formula") {
  const auto adamw = [](std::vector<ParameterGroup> groups) {
    return std::make_unique<Adamw>(std::move(groups), AdamwOptions{});
  };
  const std::vector<double> expected = {0.890000002, 0.9177103542205653, 0.9222023167767704};
  check_path(path(adamw, {0.5, -1.0, 0.25}), expected);
  check_path(path(adamw, {0.5, -1.0, 0.25}, 4.0), expected);
}

TEST_CASE("adamw counts the steps of each parameter for its bias correction") {
  // PyTorch 2.15: two parameters of one optimizer, the second with its first gradient at step 1001.
  const NamedParameter early = parameter("early", Tensor::ones({1}, DType::f64));
  const NamedParameter late = parameter("late", Tensor::ones({1}, DType::f64));
  Adamw optimizer({{{early, late}, 0.0}}, {});
  for (int step = 1; step <= 1001; ++step) {
    early.tensor.set_grad(Tensor::full({1}, 0.5, DType::f64));
    if (step == 1001) late.tensor.set_grad(Tensor::full({1}, 0.5, DType::f64));
    optimizer.step(1e-3);
  }
  CHECK(late.tensor.item() == Approx(1.0 - 1e-3 / (1.0 + 2e-8)).epsilon(1e-12));
  CHECK(optimizer.state().at("step.early").item() == 1001.0);
  CHECK(optimizer.state().at("step.late").item() == 1.0);
}

TEST_CASE("one tensor in two places is refused with both, by an optimizer and by the norm") {
  const NamedParameter a = parameter("a", Tensor::ones({3}));
  const NamedParameter b = parameter("b", Tensor::ones({3}));
  const auto complaint = [](std::vector<ParameterGroup> groups) {
    return error_message([&] { Sgd(std::move(groups), {}); });
  };
  CHECK(complaint({{{a}, 0.0}, {{b}, 0.1}}).empty());
  CHECK(complaint({{{b, a}, 0.0}, {{a}, 0.1}}) ==
        "optimizer: parameter a of group 0 and parameter a of group 1 are one tensor or share "
        "memory, shapes [3] and [3]; list it once");
  CHECK(complaint({{{a, b, {"again", a.tensor}}, 0.0}}) ==
        "optimizer: parameter a of group 0 and parameter again of group 0 are one tensor or share "
        "memory, shapes [3] and [3]; list it once");
  // Another handle of the same memory, and a view of a part of it.
  CHECK_FALSE(complaint({{{a, {"handle", a.tensor.detach()}}, 0.0}}).empty());
  CHECK_FALSE(
      complaint({{{{"part", a.tensor.detach().strided({1}, {1}, 2)}}, 0.0}, {{a}, 0.0}}).empty());
  // Parts of one block of memory that do not overlap are two parameters; empty ones share nothing.
  const Tensor block = Tensor::ones({4});
  CHECK(complaint({{{{"head", block.strided({2}, {1})}, {"tail", block.strided({2}, {1}, 2)}}}})
            .empty());
  CHECK(complaint({{{{"none", Tensor::zeros({0})}, {"nothing", Tensor::zeros({0})}}}}).empty());

  a.tensor.set_grad(Tensor::full({3}, std::sqrt(3.0)));
  CHECK(gradient_norm({{{a}, 0.0}}) == Approx(3.0));
  CHECK(error_message([&] {
          gradient_norm({{{a}, 0.0}, {{a}, 0.0}});
        }).find("gradient_norm: parameter a of group 0 and parameter a of group 1 are one") == 0);
}

TEST_CASE("two parameters of one name are refused: a checkpoint keeps their state by name") {
  const NamedParameter a = parameter("w", Tensor::ones({3}));
  const NamedParameter b = parameter("w", Tensor::ones({3}));
  CHECK(error_message([&] {
          Sgd({{{a}, 0.0}, {{b}, 0.0}}, {});
        }) ==
        "optimizer: two parameters are called w, in group 0 and in group 1; their state could not "
        "be told apart");
}

TEST_CASE("a negative momentum is refused") {
  CHECK(error_message([] { Sgd({}, {.momentum = -0.5}); }) ==
        "optimizer: momentum -0.5 of sgd is negative");
}

TEST_CASE("the moving average refuses one tensor under two names and numbers out of range") {
  const Tensor x = Tensor::ones({2});
  CHECK(error_message([&] {
          Ema({{"x", x}, {"y", x}}, 0.5);
        }) == "ema: x and y are one tensor or share memory, shapes [2] and [2]; list it once");
  CHECK(error_message([&] { Ema({{"x", x}}, 1.5); }) == "ema: decay 1.5 is outside [0, 1]");
  const Ema ema({{"x", x}}, 0.5);
  for (const int64_t step : {0, -9}) {
    CHECK(error_message([&] { ema.update(step); }) ==
          "ema: step " + std::to_string(step) + "; steps are counted from 1");
  }
}

TEST_CASE("optimizers are made from a name and options") {
  const auto complaint = [](const char* text, std::optional<double> momentum = {}) {
    return error_message([&] { make_optimizer(text, momentum, {}); });
  };
  CHECK(complaint("sgd:nesterov=true").empty());
  CHECK(complaint("adamw:beta2=0.95,epsilon=1e-6").empty());
  CHECK(complaint("lion").find("optimizer: 'lion' is unknown (use one of: adamw, ") == 0);
  CHECK(complaint("sgd:beta2=0.9") ==
        "optimizer: 'sgd' has no option 'beta2' (its options: nesterov)");
  CHECK(complaint("adamw:beta2=1") ==
        "optimizer: beta2=1 of 'adamw' must be a number from 0 to below 1");
  CHECK(complaint("adamw", 0.9) == "momentum: optimizer adamw has none; leave --momentum out");
  CHECK(complaint("sgd:nesterov=true", 0.0) ==
        "optimizer: nesterov of sgd needs a momentum above 0, got 0");
}

TEST_CASE("parameters without a gradient keep their value and state") {
  const NamedParameter a = parameter("a", Tensor::ones({3}));
  const NamedParameter b = parameter("b", Tensor::ones({3}));
  Sgd optimizer({{{a, b}, 0.5}}, {});
  a.tensor.set_grad(Tensor::ones({3}));
  optimizer.step(0.1);
  CHECK(a.tensor.data<float>()[0] != 1.0F);
  CHECK(b.tensor.data<float>()[0] == 1.0F);
  CHECK(optimizer.state().at("momentum.b").data<float>()[0] == 0.0F);
  optimizer.zero_grad();
  CHECK_FALSE(a.tensor.grad().defined());
}

TEST_CASE("groups split parameters by pattern and by rank") {
  const std::vector<NamedParameter> all = {{"conv1.weight", Tensor::zeros({4, 3, 3, 3})},
                                           {"bn1.weight", Tensor::zeros({4})},
                                           {"bn1.bias", Tensor::zeros({4})},
                                           {"layer1.attention.fc.weight", Tensor::zeros({4, 4})}};
  const auto exempt = [&](const std::vector<std::string>& entries) {
    std::string names;
    const auto groups = make_groups(all, 0.1, entries);
    for (const NamedParameter& p : groups[1].parameters) names += p.name + " ";
    return names;
  };
  CHECK(exempt({}).empty());
  CHECK(exempt({"1d"}) == "bn1.weight bn1.bias ");
  CHECK(exempt({"*.bias", "*attention*"}) == "bn1.bias layer1.attention.fc.weight ");
  CHECK(exempt({"*1.w*t"}) == "conv1.weight bn1.weight ");
  CHECK(exempt({"bn?.*"}) == "bn1.weight bn1.bias ");
  CHECK(make_groups(all, 0.1, {"1d"})[0].weight_decay == 0.1);
  CHECK(make_groups(all, 0.1, {"1d"})[1].weight_decay == 0.0);
  CHECK(error_message([&] { make_groups(all, 0.1, {"bnn*"}); }) ==
        "no-decay: 'bnn*' fits none of the 4 parameters; use names with * and ?, or 1d");
}

TEST_CASE("the gradient norm is that of all gradients, and clipping is PyTorch's") {
  const NamedParameter a = parameter("a", Tensor::zeros({2}));
  const NamedParameter b = parameter("b", Tensor::zeros({1}, DType::f64));
  a.tensor.set_grad(Tensor::from<float>({3.0F, 0.0F}, {2}));
  b.tensor.set_grad(Tensor::full({1}, 4.0, DType::f64));
  CHECK(gradient_norm({{{a}, 0.0}, {{b}, 0.0}}) == 5.0);
  CHECK(clip_scale(5.0, 0.0) == 1.0);
  CHECK(clip_scale(5.0, 10.0) == 1.0);
  CHECK(clip_scale(5.0, 1.0) == 1.0 / 5.000001);
  a.tensor.grad().data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(gradient_norm({{{a, b}, 0.0}})));
  // The squares of f32 numbers never overflow in double.
  a.tensor.set_grad(Tensor::full({2}, 3e38));
  CHECK(std::isfinite(gradient_norm({{{a}, 0.0}})));
}

/// Everything an optimizer changed after three steps on random gradients.
TensorMap trained(const Options& options) {
  RandomStream random(7, stream_id("optimizer test"));
  std::vector<NamedParameter> parameters;
  for (const int64_t size : {1, 1000, 100003}) {
    parameters.push_back(parameter("p" + std::to_string(size), normal({size}, 0, 1, random)));
  }
  const auto optimizer = make_optimizer(options, parameters);
  TensorMap all;
  for (const NamedParameter& p : parameters) all[p.name] = p.tensor;
  const Ema ema(all, 0.5);
  for (int64_t step = 1; step <= 3; ++step) {
    for (const NamedParameter& p : parameters) {
      p.tensor.set_grad(normal(p.tensor.shape(), 0, 1, random));
    }
    const double norm = gradient_norm(optimizer->groups());
    optimizer->step(0.1, clip_scale(norm, 1.0));
    ema.update(step);
  }
  for (const auto& named : optimizer->state()) all["optimizer." + named.first] = named.second;
  for (const auto& named : ema.state()) all["ema." + named.first] = named.second;
  return all;
}

TEST_CASE("parameters that are changed together get the bits that each gets alone") {
  constexpr int64_t kSizes[] = {1, 40000, 17, 0, 100003, 333, 16384};
  const auto after = [&](const std::string& name, bool together) {
    Options options;
    options.optimizer = name;
    RandomStream random(7, stream_id("optimizer test"));
    std::vector<NamedParameter> parameters;
    for (const int64_t size : kSizes) {
      parameters.push_back(parameter("p" + std::to_string(size), normal({size}, 0, 1, random)));
      parameters.back().tensor.set_grad(normal({size}, 0, 1, random));
    }
    TensorMap values;
    for (const NamedParameter& p : parameters) {
      values[p.name] = p.tensor;
      if (!together) make_optimizer(options, {p})->step(0.1);
    }
    if (together) make_optimizer(options, parameters)->step(0.1);
    return checksum(values, {});
  };
  for (const char* name : {"sgd", "adamw"}) CHECK(after(name, true) == after(name, false));
}

TEST_CASE("steps, norms and averages have the same bits for any number of threads") {
  const int before = num_threads();
  for (const char* name : {"sgd", "adamw"}) {
    Options options;
    options.optimizer = name;
    set_num_threads(1);
    const TensorMap one = trained(options);
    for (const int threads : {2, 3}) {
      set_num_threads(threads);
      CHECK(checksum(trained(options), {}) == checksum(one, {}));
    }
  }
  set_num_threads(before);
}

TEST_CASE("the moving average follows its formula, swaps exactly and copies counters") {
  const Tensor x = Tensor::zeros({2}, DType::f64);
  const Tensor count = Tensor::zeros({}, DType::i64);
  const Ema ema({{"x", x}, {"count", count}}, 0.5);
  double expected = 0.0;
  for (int64_t step = 1; step <= 20; ++step) {
    const double s = static_cast<double>(step);
    x.fill_(s * s);
    count.fill_(s);
    ema.update(step);
    expected += (1.0 - std::min(0.5, s / (s + 9.0))) * (s * s - expected);
  }
  CHECK(ema.state().at("x").data<double>()[1] == Approx(expected).epsilon(1e-14));
  CHECK(ema.state().at("count").item() == 20.0);
  {
    const EmaScope scope(ema);
    CHECK(x.data<double>()[0] == Approx(expected).epsilon(1e-14));
    CHECK(ema.state().at("x").data<double>()[0] == 400.0);
  }
  CHECK(x.data<double>()[0] == 400.0);
}

}  // namespace
}  // namespace diagrad::train
