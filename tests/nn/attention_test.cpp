// What holds for every registered variant, with every value of its options.
#include "diagrad/nn/attention/attention.h"

#include <doctest/doctest.h>

#include "diagrad/nn/gradcheck_module.h"
#include "tests/support/attention_settings.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

constexpr int64_t kCalls = 3;

/// A unit that serves three blocks with images of 4x3.
UnitSpec unit_of(int64_t channels) {
  return {.channels = channels,
          .calls = kCalls,
          .sizes = std::vector<Size2>(kCalls, Size2(4, 3)),
          .strides = std::vector<Size2>(kCalls, Size2(1)),
          .sharing = Sharing::stage};
}

/// Its weights moved up, so that with positive inputs no ReLU is cut off and none has its kink.
std::shared_ptr<Attention> lively_unit(const std::string& setting, int64_t channels) {
  RandomStream random(1, stream_id("unit"));
  const auto unit = AttentionFactory(setting)(unit_of(channels), random);
  for (const NamedTensor& parameter : unit->named_parameters()) {
    for (int64_t i = 0; i < parameter.tensor.numel(); ++i) {
      parameter.tensor.data<float>()[i] += static_cast<float>(random.uniform(0.1, 0.4));
    }
  }
  return unit;
}

TEST_CASE("every variant has the gradients of its formula, with every value of its options") {
  int64_t count = 0;
  for (const AttentionInfo& info : attention_variants()) {
    for (const std::string& setting : testing::all_settings(info)) {
      constexpr int64_t kChannels = 8;
      RandomStream random(1, stream_id("blocks"));
      std::vector<Tensor> blocks;
      for (int64_t i = 0; i < kCalls; ++i) {
        blocks.push_back(testing::random_input(random, {2, 4, 3, kChannels}, 0.2, 1.0));
      }
      const auto unit = lively_unit(setting, kChannels);
      const auto result = gradcheck_module(
          *unit, blocks,
          {.check = {.max_elements = 10}, .forward = [&](std::span<const Tensor> inputs) {
             State state;
             std::vector<Tensor> outputs;
             for (const Tensor& x : inputs) {
               outputs.push_back(unit->apply(x, state));
             }
             return outputs;
           }});
      CHECK_MESSAGE(result.passed, setting << ": " << result.message);
      ++count;
    }
  }
  MESSAGE(count << " settings");
  CHECK(count > 40);
}

TEST_CASE(
    "every variant has the parameters its closed form says, with every value of its options") {
  for (const AttentionInfo& info : attention_variants()) {
    for (const std::string& setting : testing::all_settings(info)) {
      for (const int64_t channels : {8, 20, 64, 256}) {
        const AttentionFactory factory(setting);
        RandomStream random(1, 1);
        int64_t count = 0;
        for (const auto& parameter : factory(unit_of(channels), random)->named_parameters()) {
          count += parameter.tensor.numel();
        }
        CHECK_MESSAGE(count == factory.parameters(unit_of(channels)), setting);
      }
    }
  }
}

TEST_CASE("wrong names and options of attention are named") {
  using testing::error_message;
  CHECK(error_message([] { AttentionFactory("dia-gru"); }).find("'dia-gru' is unknown") !=
        std::string::npos);
  CHECK(error_message([] { AttentionFactory("se:ratio=4"); }).find("ratio") != std::string::npos);
  CHECK(error_message([] {
          AttentionFactory("dia-lstm:output=sine");
        }).find("output=sine of 'dia-lstm'") != std::string::npos);
  CHECK(error_message([] { AttentionFactory("eca:kernel=4"); }).find("of 'eca' is even") !=
        std::string::npos);
  CHECK(error_message([] { AttentionFactory("se", "layer"); }).find("block, stage, network") !=
        std::string::npos);
}

}  // namespace
}  // namespace diagrad::nn
