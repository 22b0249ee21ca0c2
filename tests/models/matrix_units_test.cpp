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
using matrix::ExpectedCall;
using matrix::for_each_cell;
using nn::Placement;

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
    for (const nn::UnitSpec& unit : cell.units()) expected += factory.parameters(unit);
    CHECK(counted == expected);
  });
}

TEST_CASE("matrix: units are told the channels, sizes and strides of what they get") {
  int64_t nets = 0;
  for_each_cell([&](const Cell& cell) {
    // The others keep no note of it.
    if (cell.info.name != "test-place" && cell.info.name != "test-conv") return;
    const auto model = cell.make(1);
    const NoGrad no_grad;
    testing::seen_calls().clear();
    model->forward(cell.images(2, DType::f32));
    const std::vector<nn::UnitSpec> units = cell.units();
    std::vector<int64_t> served(units.size(), 0);
    size_t call = 0;
    for (const ExpectedCall& expected : cell.calls()) {
      REQUIRE(call < testing::seen_calls().size());
      const testing::SeenCall& seen = testing::seen_calls()[call++];
      CHECK(seen.calls == units[expected.unit].calls);
      CHECK(seen.call == served[expected.unit]++);
      CHECK(seen.channels == expected.channels);
      CHECK(seen.channels_got == expected.channels);
      CHECK((seen.told == expected.size));
      CHECK((seen.got == expected.size));
      CHECK((seen.stride == expected.stride));
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
