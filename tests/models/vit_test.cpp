#include "diagrad/models/vit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/summary.h"
#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/random_scope.h"
#include "tests/support/op_case.h"

namespace diagrad::models {
namespace {

using testing::error_message;
using Options = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<nn::Module> vit_of(const std::string& name, const Options& options,
                                   const std::string& attention = "none",
                                   const std::string& sharing = "", int64_t classes = 10) {
  const Shape& input = find(name).input;
  return create(name, {.classes = classes,
                       .input = input.empty() ? Shape{32, 32, 3} : input,
                       .attention = attention,
                       .sharing = sharing,
                       .options = options,
                       .seed = 1});
}

int64_t parameters(const nn::Module& model) {
  int64_t count = 0;
  for (const auto& parameter : model.named_parameters()) count += parameter.tensor.numel();
  return count;
}

TEST_CASE("parameter totals of vit-cifar are the published ones, to the unit") {
  CHECK(parameters(*vit_of("vit-cifar", {}, "none", "", 100)) == 2'709'796);
  CHECK(parameters(*vit_of("vit-cifar", {})) == 2'692'426);
  CHECK(parameters(*vit_of("vit-cifar", {{"pool", "avg"}, {"class-token", "false"}})) == 2'692'042);
  CHECK(parameters(*vit_of("vit", {})) == 2'692'426);
  CHECK(parameters(*vit_of("vit-cifar", {{"positions", "sinusoidal"}})) == 2'692'426 - 65 * 192);
  CHECK(parameters(*vit_of("vit-cifar", {{"layer-scale", "0.1"}})) == 2'692'426 + 18 * 192);
}

TEST_CASE("attention adds its closed form, one cell for all blocks and both branches") {
  const auto added = [](const std::string& attention, const std::string& sharing) {
    return parameters(*vit_of("vit-cifar", {}, attention, sharing)) - 2'692'426;
  };
  for (const char* at : {"", ",at=attn", ",at=both"}) {
    CHECK(added(std::string("dia-lstm:reduction=4") + at, "") == 93'792);
    CHECK(added(std::string("dia-lstm:reduction=8") + at, "network") == 47'664);
    CHECK(added(std::string("dia-lstm:reduction=16") + at, "stage") == 24'600);
  }
  CHECK(added("se", "") == 43'308);
  CHECK(added("se:at=both", "") == 2 * 43'308);
  CHECK(added("se:at=both", "stage") == 43'308 / 9);
}

TEST_CASE("parameter totals of the presets for images of 224 pixels are timm's") {
  // A block more at a time: the largest of them would take seconds to draw.
  const auto total = [](const std::string& name) {
    const auto at_depth = [&](const char* depth) {
      return parameters(*vit_of(name, {{"depth", depth}}, "none", "", 1000));
    };
    const int64_t one = at_depth("1");
    return one + 11 * (at_depth("2") - one);
  };
  CHECK(parameters(*vit_of("vit-tiny-patch16-224", {}, "none", "", 1000)) == 5'717'416);
  CHECK(total("vit-tiny-patch16-224") == 5'717'416);
  CHECK(total("vit-small-patch16-224") == 22'050'664);
  CHECK(total("vit-base-patch16-224") == 86'567'656);
}

TEST_CASE("names of weights are timm's") {
  const auto names = [](const nn::Module& model) {
    std::vector<std::string> result;
    for (const auto& parameter : model.named_parameters()) result.push_back(parameter.name);
    return result;
  };
  CHECK(names(*vit_of("vit-tiny-patch16-224", {{"depth", "1"}})) ==
        std::vector<std::string>{"cls_token",
                                 "pos_embed",
                                 "patch_embed.proj.weight",
                                 "patch_embed.proj.bias",
                                 "blocks.0.norm1.weight",
                                 "blocks.0.norm1.bias",
                                 "blocks.0.attn.qkv.weight",
                                 "blocks.0.attn.qkv.bias",
                                 "blocks.0.attn.proj.weight",
                                 "blocks.0.attn.proj.bias",
                                 "blocks.0.norm2.weight",
                                 "blocks.0.norm2.bias",
                                 "blocks.0.mlp.fc1.weight",
                                 "blocks.0.mlp.fc1.bias",
                                 "blocks.0.mlp.fc2.weight",
                                 "blocks.0.mlp.fc2.bias",
                                 "norm.weight",
                                 "norm.bias",
                                 "head.weight",
                                 "head.bias"});
  const auto state =
      vit_of("vit-cifar", {{"pool", "avg"}, {"layer-scale", "0.1"}}, "dia-lstm")->state_dict();
  for (const char* name : {"cls_token", "fc_norm.weight", "blocks.8.ls1.gamma",
                           "blocks.0.ls2.gamma", "attention.cells.0.x_down.weight"}) {
    CHECK_MESSAGE(state.count(name) == 1, name);
  }
  for (const char* name : {"norm.weight", "blocks.0.attn.qkv.bias"}) {
    CHECK_MESSAGE(state.count(name) == 0, name);
  }
  CHECK(state.at("patch_embed.proj.weight").shape() == Shape{192, 4, 4, 3});
  CHECK(state.at("pos_embed").shape() == Shape{1, 65, 192});
}

/// Of an f32 tensor about 0.
double deviation(const Tensor& x) {
  double sum = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    sum += static_cast<double>(x.data<float>()[i]) * static_cast<double>(x.data<float>()[i]);
  }
  return std::sqrt(sum / static_cast<double>(x.numel()));
}

TEST_CASE("first weights are timm's") {
  const auto state = vit_of("vit", {{"depth", "1"}, {"qkv-bias", "true"}})->state_dict();
  for (const char* name : {"pos_embed", "blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight",
                           "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight", "head.weight"}) {
    CHECK_MESSAGE(deviation(state.at(name)) == doctest::Approx(0.02).epsilon(0.05), name);
  }
  for (const char* name : {"blocks.0.attn.qkv.bias", "blocks.0.attn.proj.bias",
                           "blocks.0.mlp.fc1.bias", "blocks.0.mlp.fc2.bias", "head.bias"}) {
    CHECK_MESSAGE(deviation(state.at(name)) == 0.0, name);
  }
  CHECK(deviation(state.at("cls_token")) == doctest::Approx(1e-6).epsilon(0.2));
  const double bound = 1.0 / std::sqrt(48.0);  // U(+-bound)
  CHECK(deviation(state.at("patch_embed.proj.weight")) ==
        doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.05));
}

TEST_CASE("nets that differ in attention alone begin as equals") {
  const auto plain = vit_of("vit", {{"depth", "2"}})->state_dict();
  const auto other = vit_of("vit", {{"depth", "2"}}, "dia-lstm:at=both")->state_dict();
  CHECK(other.size() > plain.size());
  for (const auto& entry : plain) {
    const float* const a = entry.second.data<float>();
    const bool equal = std::equal(a, a + entry.second.numel(), other.at(entry.first).data<float>());
    CHECK_MESSAGE(equal, entry.first);
  }
}

/// Of each call of a unit: its unit and site, and the input and state of sample 0.
class Calls : public nn::CallTap {
 public:
  std::vector<std::string> units, sites;
  std::vector<float> inputs, states;

  Tensor on_enter(const nn::UnitCall& call, const Tensor& input) override {
    units.push_back(call.unit);
    sites.push_back(call.site);
    inputs.push_back(input.data<float>()[0]);
    return input;
  }
  Tensor on_leave(const nn::UnitCall& call, const Tensor& output) override {
    states.push_back(call.state.tensors.empty() ? 0.0F : call.state.tensors[1].data<float>()[0]);
    return output;
  }
};

Tensor images() {
  RandomStream random(7, stream_id("images"));
  return uniform({2, 8, 8, 3}, -1.0, 1.0, random);
}

const Options kSmall = {{"dim", "8"}, {"depth", "3"}, {"heads", "2"}, {"drop-path", "1"}};

TEST_CASE("one unit serves both branches of every block, attention first") {
  const auto model = vit_of("vit", kSmall, "dia-lstm:at=both");
  model->eval();
  Calls calls;
  {
    const nn::CallTapScope scope(calls);
    const NoGrad no_grad;
    model->forward(images());
  }
  CHECK(calls.sites == std::vector<std::string>{"blocks.0.attn", "blocks.0.mlp", "blocks.1.attn",
                                                "blocks.1.mlp", "blocks.2.attn", "blocks.2.mlp"});
  CHECK(std::set<std::string>(calls.units.begin(), calls.units.end()) ==
        std::set<std::string>{"attention"});
}

TEST_CASE("the state advances for samples whose branch is dropped") {
  const auto model = vit_of("vit", kSmall, "dia-lstm");
  Calls calls;
  const nn::CallTapScope scope(calls);
  const NoGrad no_grad;
  const nn::RandomScope random(1, 1);
  model->forward(images());  // the last block drops every sample
  REQUIRE(calls.states.size() == 3);
  CHECK(calls.states[2] != calls.states[1]);
}

TEST_CASE("the class token alone, patches alone and all tokens are pooled for attention") {
  const auto first_input = [](const std::string& pool) {
    const auto model = vit_of("vit", kSmall, "dia-lstm:pool=" + pool);
    model->eval();
    Calls calls;
    const nn::CallTapScope scope(calls);
    const NoGrad no_grad;
    model->forward(images());
    return static_cast<double>(calls.inputs.front());
  };
  // 4 patches behind the class token.
  CHECK(5.0 * first_input("all") ==
        doctest::Approx(first_input("class") + 4.0 * first_input("patches")).epsilon(1e-4));
}

TEST_CASE("a summary of a vision transformer shows its tokens and heads") {
  const auto model = vit_of("vit-cifar", {}, "dia-lstm:at=both");
  const Summary summary = summarize(*model, {32, 32, 3});
  const auto row = [&](const std::string& name) {
    const auto found = std::find_if(summary.layers.begin(), summary.layers.end(),
                                    [&](const LayerRow& layer) { return layer.name == name; });
    REQUIRE_MESSAGE(found != summary.layers.end(), name);
    return *found;
  };
  CHECK(row("patch_embed.proj").output == Shape{1, 64, 192});
  CHECK(row("patch_embed.proj").operation == "linear");
  CHECK(row("patch_embed.proj").calls == 1);
  CHECK(row("cls_token").output == Shape{1, 65, 192});
  CHECK(row("pos_embed").parameters == 65 * 192);
  CHECK(row("blocks.0.attn.qkv").output == Shape{1, 65, 3 * 192});
  CHECK(row("blocks.0.attn").output == Shape{1, 65, 12, 16});
  CHECK(row("blocks.0.attn").parameters == 0);
  CHECK(row("blocks.0.attn").multiply_adds == 2 * 65 * 65 * 192);
  CHECK(row("blocks.8.mlp.fc1").output == Shape{1, 65, 384});
  CHECK(row("attention.cells.0").calls == 18);
  CHECK(row("norm").output == Shape{1, 192});
  CHECK(summary.parameters == 2'692'426 + 93'792);
  int64_t of_rows = 0;
  for (const LayerRow& layer : summary.layers) of_rows += layer.parameters;
  CHECK(of_rows == summary.parameters);
}

TEST_CASE("sizes that do not fit are refused in one line with the numbers") {
  const auto message = [](const Options& options, const std::string& attention = "none") {
    return error_message([&] { vit_of("vit-cifar", options, attention); });
  };
  CHECK(message({{"heads", "5"}}) == "vit: heads=5 do not divide dim=192");
  CHECK(message({{"patch", "5"}}) ==
        "vit: images of 32x32 pixels are not divisible into patches of 5x5");
  CHECK(message({{"class-token", "false"}}) ==
        "vit: pool=class needs a class token, but class-token=false; use pool=avg");
  CHECK(message({{"class-token", "false"}, {"pool", "avg"}}, "se:pool=class") ==
        "attention: pool=class of 'se' needs a class token, which vit does not have; use all or "
        "patches");
  CHECK(
      message({}, "test-conv") ==
      "attention: vit does not offer at=replaces_conv for 'test-conv' (it offers ffn, both, attn; "
      "'test-conv' can take none of them)");
  CHECK(message({{"dim", "6"}, {"heads", "2"}, {"positions", "sinusoidal"}}) ==
        "vit: sinusoidal positions need a dim that is a multiple of 4, got dim=6");
  const auto model = vit_of("vit-cifar", {{"depth", "1"}});
  CHECK(error_message([&] {
          model->forward(Tensor::zeros({1, 32, 30, 3}));
        }) == "PatchEmbed: images of 32x30 pixels are not divisible into patches of 4x4");
}

TEST_CASE("presets state the size of their images, and what they do to others") {
  CHECK(find("vit-cifar").input == Shape{32, 32, 3});
  CHECK(find("vit-base-patch16-224").input == Shape{224, 224, 3});
  CHECK(find("vit").input.empty());
  const auto note = [](const Options& options) {
    const ModelInfo& info = find("vit-cifar");
    return info.at_other_sizes(OptionValues("model-opt", {"vit-cifar", options}, info.options));
  };
  CHECK(note({}) == "its positions are interpolated");
  CHECK(note({{"positions", "sinusoidal"}}).empty());
}

TEST_CASE("norms, biases, positions and tokens have no decay") {
  const auto patterns = [](const Options& options) {
    const ModelInfo& info = find("vit-cifar");
    return info.no_decay(OptionValues("model-opt", {"vit-cifar", options}, info.options));
  };
  using Words = std::vector<std::string>;
  CHECK(patterns({}) == Words{"1d", "pos_embed", "cls_token"});
  CHECK(patterns({{"positions", "sinusoidal"}}) == Words{"1d", "cls_token"});
  CHECK(patterns({{"class-token", "false"}, {"pool", "avg"}}) == Words{"1d", "pos_embed"});
}

}  // namespace
}  // namespace diagrad::models
