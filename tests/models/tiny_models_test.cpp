// What ViT and UNet need of attention, on the two small models of the tests.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/nn/attention/pass.h"
#include "tests/models/tiny_unet.h"
#include "tests/models/tiny_vit.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

constexpr int64_t kClasses = 3;

Tensor images() {
  RandomStream random(7, stream_id("images"));
  return uniform({2, 8, 8, 3}, -1.0, 1.0, random);
}

/// The states at each entry and exit of the calls, with the names of unit and site.
class StateTap : public nn::CallTap {
 public:
  struct Seen {
    std::string unit, site;
    int call;
    std::vector<Tensor> before, after;
  };
  std::vector<Seen> seen;

  Tensor on_enter(const nn::UnitCall& call, const Tensor& input) override {
    seen.push_back({call.unit, call.site, call.call, call.state.tensors, {}});
    return input;
  }
  Tensor on_leave(const nn::UnitCall& call, const Tensor& output) override {
    seen.back().after = call.state.tensors;
    return output;
  }
};

std::vector<StateTap::Seen> calls_of(nn::Module& model) {
  StateTap tap;
  const nn::CallTapScope scope(tap);
  const NoGrad no_grad;
  model.forward(images());
  return tap.seen;
}

/// The names of the parameters of attention, each up to its unit.
std::set<std::string> unit_names(const nn::Module& model) {
  std::set<std::string> names;
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    const size_t at = parameter.name.find(".cells.");
    if (at != std::string::npos) names.insert(parameter.name.substr(0, at));
  }
  return names;
}

using Names = std::set<std::string>;

TEST_CASE("a U-shaped net has a unit per block, per level or per width") {
  const auto units = [](const std::string& sharing) {
    return unit_names(*make_tiny_unet("dia-lstm", sharing, kClasses, 1));
  };
  CHECK(units("block") ==
        Names{"down.0.attention", "mid.0.attention", "mid.1.attention", "up.0.attention"});
  CHECK(units("stage") == Names{"down.attention", "mid.attention", "up.attention"});
  CHECK(units("network") == Names{"attention.4", "attention.8"});
  CHECK(units("") == units("network"));  // as the model says for variants that carry state
  // For others the variant decides.
  const auto se = make_tiny_unet("se", "", kClasses, 1)->state_dict();
  CHECK(se.count("mid.1.attention.fc1.weight") == 1);
}

TEST_CASE("a unit of a width keeps its state across the blocks of other widths between its calls") {
  const auto model = make_tiny_unet("dia-lstm", "network", kClasses, 1);
  for (int forward = 0; forward < 2; ++forward) {
    const auto seen = calls_of(*model);
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].site == "down.0");
    CHECK(seen[3].site == "up.0");
    CHECK(seen[0].unit == "attention.4");
    CHECK(seen[3].unit == "attention.4");
    CHECK(seen[1].unit == "attention.8");
    CHECK(seen[3].call == 1);
    CHECK(seen[0].before.empty());  // at each forward
    CHECK(seen[1].before.empty());
    REQUIRE(seen[3].before.size() == 2);
    for (size_t i = 0; i < 2; ++i) CHECK(seen[3].before[i].id() == seen[0].after[i].id());
    CHECK(seen[2].before[0].id() == seen[1].after[0].id());
  }
}

TEST_CASE("a unit of a level starts anew on the way up") {
  const auto seen = calls_of(*make_tiny_unet("dia-lstm", "stage", kClasses, 1));
  REQUIRE(seen.size() == 4);
  CHECK(seen[0].before.empty());
  CHECK(seen[1].before.empty());
  CHECK(seen[2].before.size() == 2);
  CHECK(seen[3].before.empty());
}

TEST_CASE("a transformer has one unit for all blocks, called once or twice in each") {
  const auto sites = [](const std::string& attention) {
    std::vector<std::string> names;
    for (const auto& call : calls_of(*make_tiny_vit(attention, "", kClasses, 1))) {
      CHECK(call.unit == "blocks.attention");
      CHECK(call.call == static_cast<int>(names.size()));
      names.push_back(call.site);
    }
    return names;
  };
  using Sites = std::vector<std::string>;
  const Sites ffn{"blocks.0.mlp", "blocks.1.mlp"};
  CHECK(sites("dia-lstm") == ffn);  // the default
  CHECK(sites("dia-lstm:at=ffn") == ffn);
  CHECK(sites("dia-lstm:at=attn") == Sites{"blocks.0.attn", "blocks.1.attn"});
  CHECK(sites("dia-lstm:at=both") ==
        Sites{"blocks.0.attn", "blocks.0.mlp", "blocks.1.attn", "blocks.1.mlp"});
  CHECK(unit_names(*make_tiny_vit("dia-lstm:at=both", "block", kClasses, 1)) ==
        Names{"blocks.0.attn.attention", "blocks.0.mlp.attention", "blocks.1.attn.attention",
              "blocks.1.mlp.attention"});
}

TEST_CASE("a placement or a pooling that a model does not offer is refused in one line") {
  CHECK(error_message([] { make_tiny_vit("se:at=pre_add", "", kClasses, 1); }) ==
        "attention: tiny vit does not offer at=pre_add for 'se' (it offers ffn, both, attn; use "
        "se:at=ffn)");
  CHECK(error_message([] { make_tiny_unet("se:at=ffn", "", kClasses, 1); }) ==
        "attention: tiny unet does not offer at=ffn for 'se' (it offers pre_add; use "
        "se:at=pre_add)");
  CHECK(error_message([] { make_tiny_unet("test-conv", "", kClasses, 1); }) ==
        "attention: tiny unet does not offer at=replaces_conv for 'test-conv' (it offers pre_add; "
        "'test-conv' can take none of them)");
  CHECK(error_message([] { make_tiny_unet("se:pool=patches", "", kClasses, 1); }) ==
        "attention: pool of 'se' chooses tokens, but tiny unet has pixels; leave it out");
}

}  // namespace
}  // namespace diagrad::testing
