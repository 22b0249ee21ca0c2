// Units, names, placement, states and taps, on lists of sites without a model.
#include "diagrad/nn/attention/plan.h"

#include <doctest/doctest.h>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/attention/residual_end.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/slice.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

using testing::error_message;

AttentionSite site(const std::string& stage, int block, int64_t channels) {
  return {stage + "." + std::to_string(block),
          stage,
          {{Placement::pre_add, channels, 4}, {Placement::in_norm, channels, 4}}};
}

AttentionPlan plan_of(const std::string& attention, const std::string& sharing,
                      std::vector<AttentionSite> sites) {
  RandomStream random(1, stream_id("plan"));
  return {
      AttentionFactory(attention, sharing), {.model = "net", .sites = std::move(sites)}, random};
}

std::vector<std::string> names(const AttentionPlan& plan) {
  std::vector<std::string> result;
  for (const auto& unit : plan.units()) result.push_back(unit->unit_name());
  return result;
}

Tensor activations(uint64_t seed, const Shape& shape = {2, 4, 4, 8}) {
  RandomStream random(seed, stream_id("x"));
  return uniform(shape, -1.0, 1.0, random);
}

bool equal(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous();
  const Tensor y = b.contiguous();
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (x.data<float>()[i] != y.data<float>()[i]) return false;
  }
  return x.shape() == y.shape();
}

using Names = std::vector<std::string>;

TEST_CASE("a unit belongs to its block, its stage, or the net where widths cross stages") {
  const std::vector<AttentionSite> apart = {site("a", 0, 4), site("a", 1, 4), site("b", 0, 8)};
  CHECK(names(plan_of("se", "block", apart)) ==
        Names{"a.0.attention", "a.1.attention", "b.0.attention"});
  CHECK(names(plan_of("se", "stage", apart)) == Names{"a.attention", "b.attention"});
  CHECK(names(plan_of("se", "network", apart)) == Names{"a.attention", "b.attention"});

  const std::vector<AttentionSite> crossing = {site("a", 0, 4), site("b", 0, 8), site("c", 0, 4)};
  CHECK(names(plan_of("se", "network", crossing)) == Names{"attention.4", "attention.8"});
  const std::vector<AttentionSite> one_width = {site("a", 0, 4), site("b", 0, 4)};
  CHECK(names(plan_of("se", "network", one_width)) == Names{"attention"});
  CHECK(plan_of("se", "network", one_width).specs()[0].calls == 2);
}

TEST_CASE("units are attached once each, under their owners") {
  Module model;
  for (const char* stage : {"a", "b", "c"}) {
    model.add_module(stage, std::make_shared<Module>());
  }
  plan_of("eca", "network", {site("a", 0, 4), site("b", 0, 8), site("c", 0, 4)}).attach(model);
  const StateDict state = model.state_dict();
  CHECK(state.size() == 2);
  CHECK(state.count("attention.4.conv.weight") == 1);
  CHECK(state.count("attention.8.conv.weight") == 1);
}

TEST_CASE("what does not fit is refused with its numbers") {
  CHECK(error_message([] { plan_of("se:at=after_conv2", "", {site("a", 0, 4)}); }) ==
        "attention: net does not offer at=after_conv2 for 'se' (it offers pre_add, in_norm; use "
        "se:at=pre_add)");
  CHECK(error_message([] {
          plan_of("se", "stage", {site("a", 0, 4), site("a", 1, 8)});
        }) == "attention: a.0 and a.1 of net share a unit but have 4 and 8 channels");
  AttentionSite tokens{"t", "", {{Placement::ffn, 8, 4, 1, true, 0}}};
  CHECK(error_message([&] { plan_of("se:pool=class", "", {tokens}); }) ==
        "attention: pool=class of 'se' needs a class token, which net does not have; use all or "
        "patches");
  CHECK(names(plan_of("se:pool=patches", "", {tokens})) == Names{"t.attention"});
}

TEST_CASE("sites are called in order, and those without the placement are left as they are") {
  AttentionSite without = site("a", 1, 8);
  without.inputs.pop_back();
  const AttentionPlan plan =
      plan_of("se:at=in_norm", "stage", {site("a", 0, 8), without, site("a", 2, 8)});
  CHECK(plan.specs()[0].calls == 2);
  const NoGrad no_grad;
  const Tensor x = activations(1);
  AttentionPass pass(plan);
  CHECK_FALSE(pass.at(1).is_at(Placement::in_norm));
  CHECK(pass.at(1).apply_if_any(x).id() == x.id());
  CHECK(pass.at(0).apply_at(Placement::pre_add, x).id() == x.id());
  CHECK(error_message([&] { pass.at(2).factors(x); }).find("a.2 is call 1") != std::string::npos);
  CHECK(pass.at(0).factors(x).shape() == Shape{2, 8});
  CHECK(pass.at(2).factors(x).shape() == Shape{2, 8});
}

TEST_CASE("tokens are pooled over all, the patches or the class token") {
  const AttentionSite tokens{"t", "", {{Placement::ffn, 8, {2, 3}, 1, true, 1}}};
  const Tensor x = activations(1, {2, 7, 8});
  const NoGrad no_grad;
  const auto factors = [&](const std::string& attention, const Tensor& input) {
    const AttentionPlan plan = plan_of(attention, "", {tokens});
    AttentionPass pass(plan);
    return pass.at(0).factors(input);
  };
  const Tensor all = factors("eca", x);
  CHECK(equal(factors("eca:pool=all", x), all));
  CHECK(equal(factors("eca:pool=patches", x), factors("eca", slice(x, 1, 1, 7).contiguous())));
  CHECK(equal(factors("eca:pool=class", x), factors("eca", slice(x, 1, 0, 1).contiguous())));
  CHECK_FALSE(equal(factors("eca:pool=patches", x), all));
  CHECK_FALSE(equal(factors("eca:pool=class", x), all));
  // Whatever is pooled, all tokens are rescaled.
  const AttentionPlan plan = plan_of("eca:pool=class", "", {tokens});
  AttentionPass pass(plan);
  CHECK(equal(pass.at(0).apply(x), channel_scale(x, factors("eca:pool=class", x))));
}

/// The end of a block whose norm and attention are made anew, alike, in each call.
Tensor end_of_block(const std::string& attention) {
  const AttentionPlan plan = plan_of(attention, "stage", {site("a", 0, 8)});
  AttentionPass pass(plan);
  BatchNorm2d norm({.channels = 8});
  return residual_end(activations(1), norm, activations(2), pass.at(0));
}

TEST_CASE("a block ends with norm -> attention -> add -> relu, whatever is done in one pass") {
  const NoGrad no_grad;
  const Tensor x = activations(1);
  const Tensor residual = activations(2);
  const auto largest = [](const Tensor& a, const Tensor& b) {
    double worst = 0.0;
    for (int64_t i = 0; i < a.numel(); ++i) {
      const auto difference = static_cast<double>(a.data<float>()[i] - b.data<float>()[i]);
      worst = std::max(worst, std::abs(difference));
    }
    return worst;
  };
  // A mean, all statistics, a map, factors of the norm, and no attention.
  for (const char* attention : {"se", "test-norm", "test-place", "se:at=in_norm", "none"}) {
    CAPTURE(attention);
    const AttentionPlan plan = plan_of(attention, "stage", {site("a", 0, 8)});
    AttentionPass pass(plan);
    BatchNorm2d norm({.channels = 8});
    // The weight is 1 and the bias 0: factors of the weight are factors of norm(x).
    const bool in_norm = plan.placement() == Placement::in_norm;
    const Tensor y = norm.forward(x);
    const Tensor branch =
        in_norm ? channel_scale(y, pass.at(0).factors(x)) : pass.at(0).apply_if_any(y);
    CHECK(largest(end_of_block(attention), relu(add(branch, residual))) < 1e-5);
  }
}

/// Keeps what it sees, and replaces what it is told to.
class Tap : public CallTap {
 public:
  std::vector<std::string> log;
  Tensor input, output;  ///< instead of what comes, where defined
  std::vector<Shape> shapes;

  Tensor on_enter(const UnitCall& call, const Tensor& x) override {
    log.push_back(call.unit + " " + call.site + " " + std::to_string(call.call) + " enter");
    shapes.push_back(x.shape());
    return input.defined() ? input : x;
  }
  Tensor on_leave(const UnitCall& call, const Tensor& y) override {
    log.push_back(call.unit + " " + call.site + " " + std::to_string(call.call) + " leave");
    shapes.push_back(y.shape());
    return output.defined() ? output : y;
  }
};

TEST_CASE("a tap sees every call, and changes no bit unless it replaces something") {
  const NoGrad no_grad;
  const auto forward = [](const std::string& attention, Tap* tap) {
    const AttentionPlan plan = plan_of(attention, "stage", {site("a", 0, 8), site("a", 1, 8)});
    std::unique_ptr<CallTapScope> scope;
    if (tap != nullptr) scope = std::make_unique<CallTapScope>(*tap);
    AttentionPass pass(plan);
    BatchNorm2d norm({.channels = 8});
    const Tensor y = residual_end(activations(1), norm, activations(2), pass.at(0));
    return residual_end(y, norm, activations(3), pass.at(1));
  };
  for (const char* attention : {"dia-lstm", "test-norm", "test-place", "se:at=in_norm"}) {
    CAPTURE(attention);
    Tap tap;
    const Tensor seen = forward(attention, &tap);
    CHECK(equal(seen, forward(attention, nullptr)));
    CHECK(tap.log == Names{"a.attention a.0 0 enter", "a.attention a.0 0 leave",
                           "a.attention a.1 1 enter", "a.attention a.1 1 leave"});
  }
  Tap mean;
  forward("dia-lstm", &mean);
  CHECK(mean.shapes[0] == Shape{2, 8});
  Tap map;
  forward("test-place", &map);
  CHECK(map.shapes[0] == Shape{2, 4, 4, 8});
  Tap none;
  forward("none", &none);
  CHECK(none.log.empty());  // nothing is called
}

TEST_CASE("a tap may replace what enters, what leaves and the state") {
  const NoGrad no_grad;
  const AttentionPlan plan = plan_of("eca", "stage", {site("a", 0, 8)});
  const Tensor x = activations(1);
  const auto apply = [&](CallTap& tap) {
    const CallTapScope scope(tap);
    AttentionPass pass(plan);
    return pass.at(0).apply(x);
  };
  Tap zero;
  zero.output = Tensor::zeros({2, 8});
  CHECK(equal(apply(zero), Tensor::zeros({2, 4, 4, 8})));
  Tap other;
  other.input = Tensor::ones({2, 8});
  AttentionPass pass(plan);
  CHECK(equal(apply(other), channel_scale(x, pass.at(0).factors_of_mean(other.input))));

  class Forget : public CallTap {
    Tensor on_enter(const UnitCall& call, const Tensor& input) override {
      call.state.tensors.clear();
      return input;
    }
  } forget;
  const AttentionPlan lstm = plan_of("dia-lstm", "stage", {site("a", 0, 8), site("a", 1, 8)});
  const auto second = [&] {
    AttentionPass calls(lstm);
    const Tensor first = calls.at(0).factors(x);
    return std::pair(first, calls.at(1).factors(x));
  };
  const auto [first, kept] = second();
  CHECK_FALSE(equal(first, kept));
  const CallTapScope scope(forget);
  const auto [again, forgotten] = second();
  CHECK(equal(again, first));
  CHECK(equal(forgotten, first));
}

}  // namespace
}  // namespace diagrad::nn
