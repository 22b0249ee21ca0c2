#include "diagrad/models/unet.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/models/first_weights.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/summary.h"
#include "tests/support/unet_nets.h"

namespace diagrad::models {
namespace {

using testing::noisy_inputs;
using testing::parameter_count;
using testing::small_unet_options;
using Options = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<nn::Module> unet_of(const Options& options, const std::string& attention = "none",
                                    const std::string& sharing = "",
                                    const Shape& input = {32, 32, 3}) {
  return create(
      "unet",
      {.input = input, .attention = attention, .sharing = sharing, .options = options, .seed = 1});
}

TEST_CASE("parameter totals of the unet are those of DDPM's for CIFAR-10, to the unit") {
  CHECK(parameter_count(*unet_of({})) == 35'746'307);
  CHECK(parameter_count(*unet_of({{"base", "64"}})) == 8'952'067);
  CHECK(parameter_count(*unet_of({{"base", "32"}})) == 2'245'763);
  // A table with one row more than there are classes, 4 base wide.
  CHECK(parameter_count(*unet_of({{"base", "32"}, {"classes", "10"}})) == 2'245'763 + 11 * 128);
}

/// Of the parameters that belong to attention, [O,...].
int64_t attention_parameters(const nn::Module& model) {
  int64_t count = 0;
  for (const auto& parameter : model.named_parameters()) {
    if (parameter.name.find("attention.") == std::string::npos) continue;
    count += parameter.tensor.numel();
  }
  return count;
}

TEST_CASE("attention adds its closed form by width, by level of a path and by block") {
  const auto added = [](const char* base, const std::string& attention,
                        const std::string& sharing) {
    return attention_parameters(*unet_of({{"base", base}}, attention, sharing));
  };
  CHECK(added("128", "dia-lstm:reduction=4", "") == 208'064);  // by network
  CHECK(added("128", "dia-lstm:reduction=8", "network") == 105'568);
  CHECK(added("128", "dia-lstm:reduction=16", "network") == 54'320);
  CHECK(added("128", "dia-lstm:reduction=4", "stage") == 1'246'208);
  CHECK(added("128", "dia-lstm:reduction=16", "stage") == 323'840);
  CHECK(added("128", "se:reduction=16", "") == 154'808);  // by block
  CHECK(added("64", "dia-lstm:reduction=4", "network") == 52'832);
  CHECK(added("32", "dia-lstm:reduction=4", "network") == 13'616);
}

using Names = std::set<std::string>;

void add_layers(Names& names, const std::string& path, const std::vector<std::string>& layers) {
  for (const std::string& layer : layers) {
    const std::string name = fmt::format("{}.{}", path, layer);
    names.insert(name + ".weight");
    names.insert(name + ".bias");
  }
}

TEST_CASE("names of weights are those of diffusers' UNet2DModel") {
  Names expected = {"conv_in.weight",       "conv_in.bias",       "class_embedding.weight",
                    "conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight",
                    "conv_out.bias"};
  add_layers(expected, "time_embedding", {"linear_1", "linear_2"});
  for (const char* block :
       {"down_blocks.0.resnets.0", "down_blocks.1.resnets.0", "mid_block.resnets.0",
        "mid_block.resnets.1", "up_blocks.0.resnets.0", "up_blocks.0.resnets.1",
        "up_blocks.1.resnets.0", "up_blocks.1.resnets.1"}) {
    add_layers(expected, block, {"norm1", "conv1", "time_emb_proj", "norm2", "conv2"});
  }
  for (const char* block :
       {"down_blocks.1.resnets.0", "up_blocks.0.resnets.0", "up_blocks.0.resnets.1",
        "up_blocks.1.resnets.0", "up_blocks.1.resnets.1"}) {
    add_layers(expected, block, {"conv_shortcut"});
  }
  for (const char* attention : {"down_blocks.1.attentions.0", "mid_block.attentions.0",
                                "up_blocks.0.attentions.0", "up_blocks.0.attentions.1"}) {
    add_layers(expected, attention, {"group_norm", "to_q", "to_k", "to_v", "to_out.0"});
  }
  add_layers(expected, "down_blocks.0.downsamplers.0", {"conv"});
  add_layers(expected, "up_blocks.0.upsamplers.0", {"conv"});

  UnetOptions options = small_unet_options();
  options.classes = 2;
  const nn::StateDict state = make_unet(options)->state_dict();
  Names names;
  for (const auto& named : state) names.insert(named.first);
  for (const std::string& name : expected) CHECK_MESSAGE(names.count(name) == 1, name);
  for (const std::string& name : names) CHECK_MESSAGE(expected.count(name) == 1, name);
  CHECK(state.at("time_embedding.linear_1.weight").shape() == Shape{16, 4});
  CHECK(state.at("class_embedding.weight").shape() == Shape{3, 16});
  CHECK(state.at("up_blocks.0.resnets.1.conv1.weight").shape() == Shape{8, 3, 3, 8 + 4});
  CHECK(state.at("up_blocks.1.resnets.0.conv_shortcut.weight").shape() == Shape{4, 1, 1, 8 + 4});
}

bool is_zero(const Tensor& x) {
  const float* const values = x.data<float>();
  return std::all_of(values, values + x.numel(), [](float value) { return value == 0.0F; });
}

TEST_CASE("last layers of branches and the last of the net are 0 at first, no other weight is") {
  const auto model = make_unet(small_unet_options());
  const auto is_last = [](const std::string& name) {
    return name.find(".conv2.") != std::string::npos ||
           name.find(".to_out.") != std::string::npos || name.starts_with("conv_out.");
  };
  for (const auto& parameter : model->named_parameters()) {
    const bool norm_bias =
        parameter.name.find("norm") != std::string::npos && parameter.name.ends_with(".bias");
    CHECK_MESSAGE(is_zero(parameter.tensor) == (is_last(parameter.name) || norm_bias),
                  parameter.name);
  }
  const NoGrad no_grad;
  CHECK(is_zero(model->call(noisy_inputs(2, {8, 8, 3}, DType::f32))));
}

TEST_CASE("a summary of a unet has rows for its blocks and self-attention") {
  const auto model = make_unet(small_unet_options());
  const nn::Inputs inputs = noisy_inputs(1, {8, 8, 3}, DType::f32);
  const Summary summary = summarize(*model, [&] { model->call(inputs); });
  const auto row = [&](const std::string& name) {
    const auto found = std::find_if(summary.layers.begin(), summary.layers.end(),
                                    [&](const LayerRow& layer) { return layer.name == name; });
    REQUIRE_MESSAGE(found != summary.layers.end(), name);
    return *found;
  };
  CHECK(row("conv_in").output == Shape{1, 8, 8, 4});
  CHECK(row("time_embedding.linear_2").output == Shape{1, 16});
  CHECK(row("down_blocks.0.downsamplers.0.conv").output == Shape{1, 4, 4, 4});
  CHECK(row("mid_block.attentions.0.to_q").output == Shape{1, 16, 8});
  CHECK(row("mid_block.attentions.0").multiply_adds == 2 * 16 * 16 * 8);
  CHECK(row("up_blocks.0.upsamplers.0.conv").output == Shape{1, 8, 8, 8});
  CHECK(row("conv_out").output == Shape{1, 8, 8, 3});
  int64_t of_rows = 0;
  for (const LayerRow& layer : summary.layers) of_rows += layer.parameters;
  CHECK(of_rows == summary.parameters);
  CHECK(summary.parameters == parameter_count(*model));
}

TEST_CASE("a unet says what it takes, gives and is made of") {
  const ModelInfo& info = find("unet");
  CHECK(info.calls == std::vector<CallForm>{CallForm::image_time, CallForm::image_time_class});
  CHECK(info.output == Output::image);
  CHECK(info.input == Shape{32, 32, 3});
  CHECK(info.can_checkpoint);
  CHECK(info.head.empty());
  CHECK(sharing_of("unet", "dia-lstm", "") == nn::Sharing::network);
  CHECK(sharing_of("unet", "dia-lstm", "stage") == nn::Sharing::stage);
  CHECK(sharing_of("unet", "se", "") == nn::Sharing::block);
  CHECK(sharing_of("resnet20", "dia-lstm", "") == nn::Sharing::stage);
  CHECK(sharing_of("a model of one's own", "dia-lstm", "") == nn::Sharing::stage);
  CHECK(sizes_of("unet", {.input = {32, 32, 3}}) ==
        "32x32 pixels of 128 channels, 16x16 of 256 with self-attention, 8x8 of 256, 4x4 of 256");
  CHECK(sizes_of("unet", {.input = {16, 8, 3}, .options = {{"mult", "1+3"}, {"attn", ""}}}) ==
        "16x8 pixels of 128 channels, 8x4 of 384");
}

TEST_CASE("self-attention under the names of diffusers' first versions comes in by --init") {
  const auto there = testing::small_unet("none", "", 5);
  const auto here = make_unet(small_unet_options());
  const nn::StateDict state = there->state_dict();
  nn::StateDict old;
  const std::vector<std::pair<std::string, std::string>> renamed = {{".to_q.", ".query."},
                                                                    {".to_k.", ".key."},
                                                                    {".to_v.", ".value."},
                                                                    {".to_out.0.", ".proj_attn."}};
  for (const auto& [name, tensor] : state) {
    std::string before = name;
    for (const auto& pair : renamed) {
      const size_t at = before.find(pair.first);
      if (at != std::string::npos) before.replace(at, pair.first.size(), pair.second);
    }
    old[before] = tensor;
  }
  CHECK(old.count("mid_block.attentions.0.query.weight") == 1);
  const FirstWeights weights = fit_weights({.tensors = old}, &find("unet"), *here);
  CHECK(weights.missing.empty());
  CHECK(weights.unexpected.empty());
  CHECK(weights.notes == std::vector<std::string>{"32 tensors of self-attention renamed from "
                                                  "query, key, value and proj_attn"});
  for (const auto& [name, tensor] : state) {
    CHECK(weights.tensors.at(name).is_same(tensor));
  }
  CHECK(fit_weights({.tensors = state}, &find("unet"), *here).notes.empty());
}

}  // namespace
}  // namespace diagrad::models
