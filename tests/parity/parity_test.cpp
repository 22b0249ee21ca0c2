#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/ops/losses.h"
#include "diagrad/train/optim/optimizer.h"
#include "tests/parity/formula.h"
#include "tests/parity/reference.h"

namespace diagrad::parity {
namespace {

using nlohmann::json;

/// Largest |ours - theirs| over the largest |theirs|.
double relative_error(const Tensor& ours, const json& theirs) {
  const Tensor values = ours.to(DType::f64).contiguous();
  double worst = 0.0;
  double scale = 0.0;
  int64_t i = 0;
  for (const auto& row : theirs) {
    for (const auto& value : row) {
      worst = std::max(worst, std::abs(values.data<double>()[i++] - value.get<double>()));
      scale = std::max(scale, std::abs(value.get<double>()));
    }
  }
  REQUIRE(i == values.numel());
  return worst / scale;
}

/// The error of a tensor relative to its norm, estimated from random projections: the expectation
/// of a squared projection onto random signs is the squared norm.
double projected_error(const std::string& name, const Tensor& ours, const json& theirs) {
  const std::vector<double> projections = sign_projections(name, ours);
  const size_t count = theirs.size() - 1;
  double squares = 0.0;
  for (size_t j = 0; j < count; ++j) {
    const double difference = projections[j] - theirs[j + 1].get<double>();
    squares += difference * difference;
  }
  return std::sqrt(squares / static_cast<double>(count)) / theirs[0].get<double>();
}

void check_first_step(const json& reference) {
  const auto model = build(reference, DType::f64);
  const Batch batch = batch_by_formula(0, reference["batch"], reference["classes"], DType::f64);
  const Tensor logits = model->forward(batch.images);
  CHECK(relative_error(logits, reference["logits"]) < 1e-12);
  backward(cross_entropy(logits, batch.labels));
  const nn::StateDict state = model->state_dict();
  double worst = 0.0;
  size_t compared = 0;
  for (const auto& parameter : model->named_parameters()) {
    const auto entry = reference["gradients"].find(parameter.name);
    REQUIRE_MESSAGE(entry != reference["gradients"].end(), parameter.name);
    const double error = projected_error(parameter.name, parameter.tensor.grad(), *entry);
    CHECK_MESSAGE(error < 1e-9, parameter.name);
    worst = std::max(worst, error);
    ++compared;
  }
  CHECK(compared == reference["gradients"].size());
  for (const auto& entry : reference["statistics"].items()) {
    const std::string& name = entry.key();
    CHECK_MESSAGE(projected_error(name, state.at(name), entry.value()) < 1e-12, name);
  }
  const NoGrad no_grad;
  model->eval();
  CHECK(relative_error(model->forward(batch.images), reference["eval_logits"]) < 1e-12);
  MESSAGE(reference["model"].get<std::string>() << ": worst gradient error " << worst);
}

void check_losses(const json& reference) {
  const auto model = build(reference, DType::f64);
  const auto optimizer = train::make_optimizer(
      "sgd:nesterov=false", reference["momentum"].get<double>(),
      {{.parameters = model->named_parameters(), .weight_decay = reference["weight_decay"]}});
  int step = 0;
  for (const auto& expected : reference["losses"]) {
    const Batch batch =
        batch_by_formula(step, reference["batch"], reference["classes"], DType::f64);
    const Tensor loss = cross_entropy(model->forward(batch.images), batch.labels);
    CHECK_MESSAGE(std::abs(loss.item() / expected.get<double>() - 1.0) < 1e-9, "step " << step);
    optimizer->zero_grad();
    backward(loss);
    optimizer->step(reference["lr"]);
    ++step;
  }
  CHECK(step >= 5);
}

TEST_CASE("f64 logits, gradients, statistics and losses are PyTorch's") {
  for (const std::string name : {"resnet20-none", "resnet20-dia-lstm", "resnet20-dia-lstm-cells2",
                                 "resnet20-dia-lstm-tanh", "resnet20-se-block", "resnet20-se-stage",
                                 "resnet20-eca-block", "resnet164-none", "resnet164-dia-lstm"}) {
    CAPTURE(name);
    const json reference = golden(name);
    check_first_step(reference);
    check_losses(reference);
  }
}

}  // namespace
}  // namespace diagrad::parity
