#include "diagrad/models/first_weights.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "diagrad/core/allocator.h"
#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "tests/support/op_case.h"

namespace diagrad::models {
namespace {

using testing::error_message;

std::shared_ptr<nn::Module> small_net(int64_t classes, uint64_t seed) {
  return create(
      "resnet8",
      {.classes = classes, .input = {16, 16, 3}, .options = {{"width", "4"}}, .seed = seed});
}

const ModelInfo& info() {
  return find("resnet8");
}

nn::StateDict copies(const nn::Module& net, DType dtype = DType::f32) {
  nn::StateDict state;
  for (const auto& named : net.state_dict()) state[named.first] = named.second.clone().to(dtype);
  return state;
}

/// [O,kh,kw,I] -> [O,I,kh,kw], as PyTorch stores it.
nn::StateDict torch_layout(const nn::StateDict& state) {
  nn::StateDict converted;
  for (const auto& [name, tensor] : state) {
    converted[name] = tensor;
    if (tensor.rank() != 4) continue;
    const Shape s = tensor.shape();
    Tensor& other = converted[name] = Tensor::empty({s[0], s[3], s[1], s[2]});
    for (int64_t o = 0; o < s[0]; ++o) {
      for (int64_t i = 0; i < s[3]; ++i) {
        for (int64_t y = 0; y < s[1]; ++y) {
          for (int64_t x = 0; x < s[2]; ++x) {
            other.data<float>()[((o * s[3] + i) * s[1] + y) * s[2] + x] =
                tensor.data<float>()[((o * s[1] + y) * s[2] + x) * s[3] + i];
          }
        }
      }
    }
  }
  return converted;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::equal(a.data<float>(), a.data<float>() + a.numel(), b.data<float>());
}

TEST_CASE("a state in PyTorch's layout comes in with its values, counters left out") {
  const auto there = small_net(10, 1);
  const nn::StateDict state = copies(*there);
  nn::StateDict file = torch_layout(state);
  file["bn1.num_batches_tracked"] = Tensor::full({}, 7, DType::i64);
  const FirstWeights weights =
      fit_weights({.tensors = from_torch_layout(file)}, &info(), *small_net(10, 2));
  CHECK(weights.missing.empty());
  CHECK(weights.unexpected.empty());
  CHECK(weights.replaced.empty());
  REQUIRE(weights.tensors.size() == state.size());
  for (const auto& [name, tensor] : state) CHECK(same_bits(weights.tensors.at(name), tensor));
}

TEST_CASE("floating-point dtypes become those of the model") {
  const auto there = small_net(10, 1);
  const auto here = small_net(10, 2);
  for (const DType dtype : {DType::f64, DType::bf16}) {
    const nn::StateDict state = copies(*there, dtype);
    const FirstWeights weights = fit_weights({.tensors = state}, &info(), *here);
    for (const auto& [name, tensor] : state) {
      CHECK(same_bits(weights.tensors.at(name), tensor.to(DType::f32)));
    }
  }
  here->to(DType::f64);
  const FirstWeights weights = fit_weights({.tensors = copies(*there)}, &info(), *here);
  CHECK(weights.tensors.at("conv1.weight").dtype() == DType::f64);
}

TEST_CASE("a head of another size stays as it is, whole, and nothing else may differ") {
  const auto here = small_net(10, 2);
  const FirstWeights weights = fit_weights({.tensors = copies(*small_net(100, 1))}, &info(), *here);
  CHECK(weights.replaced ==
        std::vector<std::string>{"fc.bias is f32 [100] there, f32 [10] here",
                                 "fc.weight is f32 [100,16] there, f32 [10,16] here"});
  CHECK(weights.missing.empty());
  CHECK(weights.tensors.count("fc.weight") + weights.tensors.count("fc.bias") == 0);
  CHECK(weights.tensors.size() == here->state_dict().size() - 2);

  nn::StateDict other_bias = copies(*small_net(10, 1));
  other_bias["fc.bias"] = Tensor::zeros({11});
  CHECK(fit_weights({.tensors = other_bias}, &info(), *here).tensors.count("fc.weight") == 0);

  nn::StateDict other = copies(*small_net(10, 1));
  other["bn1.weight"] = Tensor::zeros({5});
  CHECK(error_message([&] { fit_weights({.tensors = other}, &info(), *here); }) ==
        "bn1.weight is f32 [5] there, f32 [4] here; only the head (fc) may have another size");
  CHECK(error_message([&] {
          fit_weights({.tensors = copies(*small_net(9, 1))}, nullptr, *here);
        }).find("fc.bias is f32 [9] there, f32 [10] here, fc.weight") == 0);
}

TEST_CASE("names that do not meet are listed; where none do, the file is refused") {
  const auto here = small_net(10, 2);
  nn::StateDict state = copies(*small_net(10, 1));
  state.erase("bn1.weight");
  state["extra.weight"] = Tensor::zeros({2});
  const FirstWeights weights = fit_weights({.tensors = state}, &info(), *here);
  CHECK(weights.missing == std::vector<std::string>{"bn1.weight"});
  CHECK(weights.unexpected == std::vector<std::string>{"extra.weight"});
  const nn::StateDict foreign = {{"module.a", Tensor::zeros({1})}, {"b", Tensor::zeros({1})}};
  const std::string message =
      error_message([&] { fit_weights({.tensors = foreign}, &info(), *here); });
  CHECK(message.find("none of its 2 tensors is one of the model: it has b, module.a; the model "
                     "has bn1.bias, bn1.running_mean, bn1.running_var and ") == 0);
  CHECK(error_message([&] { fit_weights({}, &info(), *here); }).find("it has none") !=
        std::string::npos);
}

TEST_CASE("a model converts what it knows of, with options, before names and shapes are compared") {
  ModelInfo own = info();
  own.init_options = {text_option("scale", "1", "factor of the stem")};
  own.adapt = [](GivenState& given, const nn::Module& model) {
    const Tensor& stem = given.tensors.at("old.weight");
    CHECK(given.input == Shape{8, 8, 3});
    CHECK(model.state_dict().count("conv1.weight") == 1);
    given.tensors["conv1.weight"] =
        Tensor::full(stem.shape(), std::stod(given.options.get_text("scale")));
    given.tensors.erase("old.weight");
    given.notes.emplace_back("old.weight became conv1.weight");
  };
  nn::StateDict state = copies(*small_net(10, 1));
  state["old.weight"] = state.at("conv1.weight");
  state.erase("conv1.weight");
  const FirstWeights weights = fit_weights(
      {.tensors = state,
       .input = {8, 8, 3},
       .options = OptionValues("init", {"resnet8", {{"scale", "3"}}}, own.init_options)},
      &own, *small_net(10, 2));
  CHECK(weights.missing.empty());
  CHECK(weights.unexpected.empty());
  CHECK(weights.notes == std::vector<std::string>{"old.weight became conv1.weight"});
  CHECK(weights.tensors.at("conv1.weight").data<float>()[5] == 3.0F);
}

/// The layers whose tensors have other shapes with another number of classes.
std::set<std::string> layers_of_classes(const std::string& model) {
  const auto make = [&](int64_t classes) {
    return create(model, {.classes = classes, .input = {32, 32, 3}, .seed = 0})->state_dict();
  };
  const nn::StateDict few = make(3);
  const nn::StateDict many = make(5);
  std::set<std::string> layers;
  for (const auto& [name, tensor] : few) {
    if (many.at(name).shape() != tensor.shape()) layers.insert(name.substr(0, name.rfind('.')));
  }
  return layers;
}

TEST_CASE(
    "every registered model names its head: what follows from the classes, and nothing else") {
  constexpr int64_t kMost = int64_t{64} << 20;
  int visited = 0;
  for (const ModelInfo& model : list()) {
    if (model.output == Output::image) continue;
    CAPTURE(model.name);
    std::set<std::string> layers;
    try {
      const AllocationLimit limit(kMost);
      layers = layers_of_classes(model.name);
    } catch (const Error& error) {
      MESSAGE(model.name << " is left out: " << std::string(error.what()));
      continue;
    }
    ++visited;
    CHECK(layers == std::set<std::string>{model.head});
  }
  CHECK(visited >= 16);
}

}  // namespace
}  // namespace diagrad::models
