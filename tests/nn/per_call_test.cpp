#include "diagrad/nn/attention/per_call.h"

#include <doctest/doctest.h>

#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/gradcheck_module.h"
#include "diagrad/nn/layer_norm.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

constexpr int64_t kCalls = 3;
constexpr int64_t kChannels = 2;

PerCall<BatchNorm2d> make(NormSharing sharing) {
  return {BatchNormSpec{.channels = kChannels}, kCalls, sharing};
}

/// "0.weight 0.bias ...": parameters, then buffers.
std::string state_of(const Module& module) {
  std::string text;
  for (const NamedTensor& named : module.named_parameters()) text += named.name + " ";
  for (const NamedTensor& named : module.named_buffers()) text += named.name + " ";
  return text;
}

std::vector<Tensor> inputs() {
  RandomStream random(1, stream_id("x"));
  std::vector<Tensor> result;
  for (int64_t i = 0; i < kCalls; ++i) {
    // Each call has a distribution of its own.
    const auto shift = static_cast<double>(i);
    result.push_back(testing::random_input(random, {4, 2, 2, kChannels}, shift, shift + 1.0));
  }
  return result;
}

std::vector<Tensor> run(PerCall<BatchNorm2d>& norm, std::span<const Tensor> in) {
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < in.size(); ++i) {
    outputs.push_back(norm.forward(in[i], static_cast<int>(i)));
  }
  return outputs;
}

TEST_CASE("the state has the statistics and the affine part of each call, unless they are shared") {
  CHECK(state_of(make(NormSharing::none)) ==
        "0.weight 0.bias 1.weight 1.bias 2.weight 2.bias 0.running_mean 0.running_var "
        "1.running_mean 1.running_var 2.running_mean 2.running_var ");
  CHECK(state_of(make(NormSharing::affine)) ==
        "0.weight 0.bias 0.running_mean 0.running_var 1.running_mean 1.running_var "
        "2.running_mean 2.running_var ");
  CHECK(state_of(make(NormSharing::all)) == "0.weight 0.bias 0.running_mean 0.running_var ");
  CHECK(affine_copies(NormSharing::none, kCalls) == 3);
  CHECK(affine_copies(NormSharing::affine, kCalls) == 1);
  CHECK(affine_copies(NormSharing::all, kCalls) == 1);
}

TEST_CASE("a normalisation per call has its gradients in both modes, whatever is shared") {
  for (const NormSharing sharing : {NormSharing::none, NormSharing::affine, NormSharing::all}) {
    PerCall<BatchNorm2d> norm = make(sharing);
    const auto result = gradcheck_module(
        norm, inputs(), {.forward = [&](std::span<const Tensor> in) { return run(norm, in); }});
    CHECK_MESSAGE(result.passed, result.message);
  }
}

TEST_CASE("each call moves statistics of its own, unless they are shared") {
  for (const NormSharing sharing : {NormSharing::none, NormSharing::affine, NormSharing::all}) {
    PerCall<BatchNorm2d> norm = make(sharing);
    norm.to(DType::f64);
    run(norm, inputs());
    const StateDict state = norm.state_dict();
    const auto mean_of = [&](const std::string& call) {
      return state.at(call + ".running_mean").data<double>()[0];
    };
    if (sharing == NormSharing::all) {
      CHECK(mean_of("0") > 0.1);  // of all three, whose means are near 0.5, 1.5 and 2.5
      continue;
    }
    CHECK(mean_of("0") < mean_of("1"));
    CHECK(mean_of("1") < mean_of("2"));
  }
}

TEST_CASE("a shared affine part stays shared through conversion and loading") {
  PerCall<BatchNorm2d> norm = make(NormSharing::affine);
  norm.to(DType::f64);
  StateDict state;
  for (const auto& entry : norm.state_dict()) state[entry.first] = entry.second.clone();
  state.at("0.weight").data<double>()[0] = 3.0;
  norm.load_state_dict(state);
  norm.eval();
  const Tensor x = Tensor::ones({1, 1, 1, kChannels}, DType::f64);
  for (int call = 0; call < kCalls; ++call) {
    CHECK(norm.forward(x, call).data<double>()[0] == doctest::Approx(3.0).epsilon(1e-4));
  }
}

TEST_CASE("a normalisation without statistics is shared as a whole, calls out of range are named") {
  const LayerNormSpec spec{.features = 4};
  CHECK(state_of(PerCall<LayerNorm>(spec, 2, NormSharing::none)) ==
        "0.weight 0.bias 1.weight 1.bias ");
  CHECK(state_of(PerCall<LayerNorm>(spec, 2, NormSharing::affine)) == "0.weight 0.bias ");
  CHECK(testing::error_message([&] { PerCall<LayerNorm>(spec, 0, NormSharing::none); }) ==
        "PerCall: 0 calls; must be positive");
  PerCall<LayerNorm> shared(spec, 2, NormSharing::all);
  CHECK(testing::error_message([&] {
          shared.forward(Tensor::ones({1, 4}), 2);
        }).find("PerCall: call 2 of 2") != std::string::npos);
  CHECK(testing::error_message([] {
          BatchNorm2d({.channels = 2}, BatchNorm2d({.channels = 3}));
        }) == "BatchNorm2d: 2 channels cannot share the weight and bias of 3");
}

TEST_CASE("the option bn has the paper's three words") {
  const std::vector<Option> declared = {norm_sharing_option()};
  const auto value = [&](const std::string& text) {
    return norm_sharing(OptionValues("attention", parse_selection("attention", text), declared));
  };
  CHECK(value("v") == NormSharing::none);
  CHECK(value("v:bn=private") == NormSharing::none);
  CHECK(value("v:bn=shared-affine") == NormSharing::affine);
  CHECK(value("v:bn=shared") == NormSharing::all);
}

}  // namespace
}  // namespace diagrad::nn
