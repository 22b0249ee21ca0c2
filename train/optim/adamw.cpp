#include "diagrad/train/optim/adamw.h"

#include <utility>

#include "diagrad/ops/multi_tensor.h"

namespace diagrad::train {

Adamw::Adamw(std::vector<ParameterGroup> groups, const AdamwOptions& options)
    : Optimizer(std::move(groups)),
      options_(options),
      steps_(Tensor::zeros({}, DType::i64)),
      first_(make_slots()),
      second_(make_slots()) {}

void Adamw::step(double lr, double gradient_scale) {
  const int64_t t = ++*steps_.data<int64_t>();
  for (size_t g = 0; g < groups().size(); ++g) {
    const ParameterGroup& group = groups()[g];
    std::vector<AdamwTensors> tensors;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      const Tensor& parameter = group.parameters[i].tensor;
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      tensors.push_back({parameter, gradient.contiguous(), first_[g][i], second_[g][i], t});
    }
    multi_tensor_adamw(tensors, {.lr = lr,
                                 .beta1 = options_.beta1,
                                 .beta2 = options_.beta2,
                                 .epsilon = options_.epsilon,
                                 .weight_decay = group.weight_decay,
                                 .gradient_scale = gradient_scale});
  }
}

TensorMap Adamw::state() const {
  TensorMap state{{"steps", steps_}};
  add_slots(state, "first", first_);
  add_slots(state, "second", second_);
  return state;
}

}  // namespace diagrad::train
