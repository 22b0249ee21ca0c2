#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/train/optim/optimizer.h"
#include "tests/parity/formula.h"
#include "tests/parity/reference.h"

namespace diagrad::parity {
namespace {

using nlohmann::json;

double norm_of_gradients(const json& reference) {
  double squares = 0.0;
  for (const auto& entry : reference["gradients"]) squares += std::pow(entry[0].get<double>(), 2);
  return std::sqrt(squares);
}

/// What a model is off by at its first step.
struct FirstStep {
  double logits = 0.0;
  double eval_logits = 0.0;
  double gradient = 0.0;    ///< the worst
  std::string of = {};      ///< the parameter of that gradient
  double statistics = 0.0;  ///< the worst
};

double worst_statistic(const nn::Module& model, const json& reference) {
  const nn::StateDict state = model.state_dict();
  double worst = 0.0;
  for (const auto& entry : reference["statistics"].items()) {
    worst = std::max(worst, projected_error(entry.key(), state.at(entry.key()), entry.value()));
  }
  return worst;
}

FirstStep first_step(nn::Module& model, const json& reference) {
  const Example example = example_of(reference, 0, DType::f64);
  const Tensor logits = model.call(example.inputs);
  FirstStep errors{.logits = output_error("logits", logits, reference)};
  backward(loss_of(logits, example));
  const double floor = kGradientFloor * norm_of_gradients(reference);
  const std::vector<nn::NamedTensor> parameters = model.named_parameters();
  CHECK(parameters.size() == reference["gradients"].size());
  for (const auto& parameter : parameters) {
    const auto entry = reference["gradients"].find(parameter.name);
    REQUIRE_MESSAGE(entry != reference["gradients"].end(), parameter.name);
    REQUIRE_MESSAGE((*entry)[0].get<double>() > 0.0, parameter.name);
    const double error = projected_error(parameter.name, parameter.tensor.grad(), *entry, floor);
    if (!(error <= errors.gradient)) {
      errors.gradient = error;
      errors.of = parameter.name;
    }
  }
  errors.statistics = worst_statistic(model, reference);
  const NoGrad no_grad;
  model.eval();
  errors.eval_logits = output_error("eval_logits", model.call(example.inputs), reference);
  return errors;
}

/// The largest relative error of the losses of training.
double losses_error(nn::Module& model, const json& reference,
                    const std::vector<std::string>& exempt) {
  const json& momentum = reference["momentum"];
  const auto optimizer = train::make_optimizer(
      reference["optimizer"].get<std::string>(),
      momentum.is_null() ? std::nullopt : std::optional(momentum.get<double>()),
      train::make_groups(model.named_parameters(), reference["weight_decay"], exempt));
  double worst = 0.0;
  int step = 0;
  for (const auto& expected : reference["losses"]) {
    const Example example = example_of(reference, step++, DType::f64);
    const Tensor loss = loss_of(model.call(example.inputs), example);
    worst = std::max(worst, std::abs(loss.item() / expected.get<double>() - 1.0));
    optimizer->zero_grad();
    backward(loss);
    optimizer->step(reference["lr"]);
  }
  CHECK(step >= 5);
  return worst;
}

void check_parity(const std::string& name) {
  CAPTURE(name);
  const json reference = golden(name);
  const auto model = build(reference, DType::f64);
  const FirstStep errors = first_step(*model, reference);
  const double losses = losses_error(*build(reference, DType::f64), reference, no_decay(reference));
  MESSAGE(name << ": logits " << errors.logits << ", eval " << errors.eval_logits << ", gradient "
               << errors.gradient << " (" << errors.of << "), statistics " << errors.statistics
               << ", losses " << losses);
  CHECK(errors.logits < 1e-12);
  CHECK(errors.eval_logits < 1e-12);
  CHECK_MESSAGE(errors.gradient < 1e-9, errors.of);
  CHECK(errors.statistics < 1e-12);
  CHECK(losses < 1e-9);
}

TEST_CASE("f64 logits, gradients, statistics and losses of ResNets are PyTorch's") {
  for (const char* name : {"resnet20-none", "resnet20-dia-lstm", "resnet20-dia-lstm-cells2",
                           "resnet20-dia-lstm-tanh", "resnet20-se-block", "resnet20-se-stage",
                           "resnet20-eca-block", "resnet164-none", "resnet164-dia-lstm"}) {
    check_parity(name);
  }
}

TEST_CASE("f64 logits, gradients and losses of vision transformers are timm's and PyTorch's") {
  for (const std::string& name : vit_goldens()) check_parity(name);
}

TEST_CASE("f64 images, gradients and losses of U-nets are diffusers' and PyTorch's") {
  for (const std::string& name : unet_goldens()) check_parity(name);
}

TEST_CASE("the only gradients of U-nets that are rounding errors are those of key biases") {
  for (const std::string& name : unet_goldens()) {
    const json reference = golden(name);
    const double all = norm_of_gradients(reference);
    int found = 0;
    for (const auto& entry : reference["gradients"].items()) {
      const bool is_zero = entry.value()[0].get<double>() < 1e-12 * all;
      CHECK_MESSAGE(is_zero == entry.key().ends_with("to_k.bias"), name << " " << entry.key());
      found += is_zero ? 1 : 0;
    }
    CHECK(found >= 4);
  }
}

/// The model of other settings than those of the golden file.
std::shared_ptr<nn::Module> build_other(json reference, const char* key, const json& value) {
  reference[key] = value;
  return build(reference, DType::f64);
}

std::shared_ptr<nn::Module> build_with_option(const json& reference, const char* option,
                                              const char* value) {
  json options = reference["options"];
  options[option] = value;
  return build_other(reference, "options", options);
}

TEST_CASE("the f64 bounds notice another pooling, placement, activation, head count and decay") {
  const json reference = golden("vit-small-dia-lstm-both-all");
  for (const auto& model :
       {build_other(reference, "attention", "dia-lstm:at=both,pool=patches"),
        build_other(reference, "attention", "dia-lstm:at=ffn,pool=all"),
        build_with_option(reference, "gelu", "tanh"), build_with_option(reference, "heads", "3")}) {
    const FirstStep errors = first_step(*model, reference);
    CHECK(errors.logits > 1e-9);
    CHECK(errors.gradient > 1e-6);
  }
  CHECK(losses_error(*build(reference, DType::f64), reference, {}) > 1e-6);
}

TEST_CASE("the f64 bounds notice every other option of a U-net's formula") {
  const json reference = golden("unet-small-dia-lstm-network");
  for (const auto& model :
       {build_with_option(reference, "eps", "1e-6"), build_with_option(reference, "heads", "2"),
        build_with_option(reference, "groups", "16"),
        build_with_option(reference, "down-padding", "asymmetric"),
        build_with_option(reference, "time", "cos-sin"),
        build_with_option(reference, "freq-shift", "0"),
        build_other(reference, "attention", "dia-lstm:output=tanh")}) {
    const FirstStep errors = first_step(*model, reference);
    CHECK(errors.logits > 1e-7);
    CHECK(errors.gradient > 1e-6);
  }
}

}  // namespace
}  // namespace diagrad::parity
