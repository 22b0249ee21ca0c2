// What the units of attention of every net of the matrix (matrix.h) are made for, and have.
#include <doctest/doctest.h>

#include <set>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/models/registry.h"
#include "tests/models/matrix.h"
#include "tests/support/map_variants.h"

namespace diagrad::models {
namespace {

using matrix::Cell;
using matrix::for_each_cell;
using matrix::images;
using matrix::kBlocks;
using nn::Placement;
using nn::Sharing;

/// What the unit is to be told that serves `count` blocks of a stage, from block `first` on.
nn::UnitSpec expected_unit(const Cell& cell, size_t stage, int64_t first, int64_t count) {
  const bool outer = cell.placement == Placement::pre_add || cell.placement == Placement::in_norm;
  const bool narrow = cell.family.bottleneck && !outer;
  nn::UnitSpec unit{.channels = cell.family.channels[stage] / (narrow ? 4 : 1), .calls = count};
  for (int64_t block = first; block < first + count; ++block) {
    // Bottlenecks halve the image in the second convolution, basic blocks in the first.
    const bool halves = cell.family.bottleneck && block == 0 && stage > 0;
    const bool before =
        cell.placement == Placement::before_conv || cell.placement == Placement::replaces_conv;
    unit.sizes.emplace_back(halves && before ? 16 >> stage : 8 >> stage);
    unit.strides.emplace_back(halves ? 2 : 1);
  }
  return unit;
}

/// All units of a net, in the order of their calls.
std::vector<nn::UnitSpec> expected_units(const Cell& cell) {
  std::vector<nn::UnitSpec> units;
  for (size_t stage = 0; stage < cell.family.channels.size(); ++stage) {
    const int64_t served = cell.sharing == Sharing::block ? 1 : kBlocks;
    for (int64_t block = 0; block < kBlocks; block += served) {
      units.push_back(expected_unit(cell, stage, block, served));
    }
  }
  return units;
}

TEST_CASE("matrix: the parameters of the units are those of the closed form") {
  for_each_cell([](const Cell& cell) {
    const nn::AttentionFactory factory(cell.attention, nn::name(cell.sharing));
    int64_t counted = 0;
    for (const nn::NamedTensor& parameter : cell.make(1)->named_parameters()) {
      if (parameter.name.find("attention.") != std::string::npos) {
        counted += parameter.tensor.numel();
      }
    }
    int64_t expected = 0;
    for (const nn::UnitSpec& unit : expected_units(cell)) expected += factory.parameters(unit);
    CHECK(counted == expected);
  });
}

TEST_CASE("matrix: units are told the channels, sizes and strides of what they get") {
  int64_t nets = 0;
  for_each_cell([&](const Cell& cell) {
    if (cell.info.name.rfind("test-", 0) != 0) return;  // the others keep no note of it
    const auto model = cell.make(1);
    const NoGrad no_grad;
    testing::seen_calls().clear();
    model->forward(images({2, 8, 8, 3}, DType::f32));
    size_t call = 0;
    for (const nn::UnitSpec& unit : expected_units(cell)) {
      for (size_t block = 0; block < unit.sizes.size(); ++block, ++call) {
        REQUIRE(call < testing::seen_calls().size());
        const testing::SeenCall& seen = testing::seen_calls()[call];
        CHECK(seen.calls == unit.calls);
        CHECK(seen.block == static_cast<int64_t>(block));
        CHECK(seen.channels == unit.channels);
        CHECK(seen.channels_got == unit.channels);
        CHECK((seen.told == unit.sizes[block]));
        CHECK((seen.got == unit.sizes[block]));
        CHECK((seen.stride == unit.strides[block]));
      }
    }
    CHECK(call == testing::seen_calls().size());
    ++nets;
  });
  CHECK(nets >= 16);
}

TEST_CASE("matrix: whatever is registered is visited, the variant of CONTRIBUTING.md too") {
  std::set<std::string> visited;
  for_each_cell([&](const Cell& cell) { visited.insert(cell.info.name); });
  for (const nn::AttentionInfo& info : nn::attention_variants()) {
    CHECK_MESSAGE(visited.count(info.name) == 1, info.name);
  }
  CHECK(visited.count("my-gate") == 1);
}

TEST_CASE("arms of one seed differ in their attention alone") {
  for (const nn::AttentionInfo& info : nn::attention_variants()) {
    const bool replaces = info.placements.front() == Placement::replaces_conv;
    const auto plain =
        create("resnet8", {.input = {8, 8, 3}, .attention = "none", .seed = 5})->state_dict();
    const auto other =
        create("resnet8", {.input = {8, 8, 3}, .attention = info.name, .seed = 5})->state_dict();
    for (const auto& entry : plain) {
      if (replaces && entry.first.find("conv2.") != std::string::npos) {
        CHECK_MESSAGE(other.count(entry.first) == 0, info.name << ": " << entry.first);
        continue;
      }
      const Tensor& tensor = entry.second;
      const Tensor& same = other.at(entry.first);
      bool equal = tensor.numel() == same.numel();
      for (int64_t i = 0; equal && i < tensor.numel(); ++i) {
        equal = tensor.data<float>()[i] == same.data<float>()[i];
      }
      CHECK_MESSAGE(equal, info.name << ": " << entry.first);
    }
  }
}

}  // namespace
}  // namespace diagrad::models
