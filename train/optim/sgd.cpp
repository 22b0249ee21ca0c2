#include "diagrad/train/optim/sgd.h"

#include <memory>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor.h"

namespace diagrad::train {
namespace {

[[maybe_unused]] const bool registered = register_optimizer(
    {.name = "sgd",
     .help = "stochastic gradient descent; weight decay is added to the gradient",
     .citation = "PyTorch, torch/optim/sgd.py",
     .options = {bool_option("nesterov", false, "Nesterov's form of momentum")},
     .lr = 0.1,
     .momentum = 0.9,
     .make = [](std::vector<ParameterGroup> groups, const OptimizerSettings& settings) {
       return std::make_unique<Sgd>(
           std::move(groups), SgdOptions{settings.momentum, settings.options.get_bool("nesterov")});
     }});

}  // namespace

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  DG_CHECK(options.momentum >= 0.0, "optimizer: momentum {} of sgd is negative", options.momentum);
  DG_CHECK(!options.nesterov || options.momentum > 0.0,
           "optimizer: nesterov of sgd needs a momentum above 0, got {}", options.momentum);
  if (options.momentum > 0.0) momentum_ = make_slots();
}

void Sgd::step(double lr, double gradient_scale) {
  for (size_t g = 0; g < groups().size(); ++g) {
    const ParameterGroup& group = groups()[g];
    std::vector<SgdTensors> tensors;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      const Tensor& parameter = group.parameters[i].tensor;
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      tensors.push_back(
          {parameter, gradient.contiguous(), momentum_.empty() ? Tensor() : momentum_[g][i]});
    }
    multi_tensor_sgd(tensors, {.lr = lr,
                               .momentum = options_.momentum,
                               .weight_decay = group.weight_decay,
                               .gradient_scale = gradient_scale,
                               .nesterov = options_.nesterov});
  }
}

nn::StateDict Sgd::state() const {
  nn::StateDict state;
  if (!momentum_.empty()) add_slots(state, "momentum", momentum_);
  return state;
}

}  // namespace diagrad::train
