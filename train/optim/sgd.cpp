#include "diagrad/train/optim/sgd.h"

#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor.h"

namespace diagrad::train {

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  DG_CHECK(!options.nesterov || options.momentum > 0.0,
           "sgd: Nesterov's form needs momentum above 0, got {}", options.momentum);
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

TensorMap Sgd::state() const {
  TensorMap state;
  if (!momentum_.empty()) add_slots(state, "momentum", momentum_);
  return state;
}

}  // namespace diagrad::train
