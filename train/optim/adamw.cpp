#include "diagrad/train/optim/adamw.h"

#include <cmath>
#include <utility>

#include "diagrad/ops/multi_tensor_kernels.h"

namespace diagrad::train {

Adamw::Adamw(std::vector<ParameterGroup> groups, const AdamwOptions& options)
    : Optimizer(std::move(groups)),
      options_(options),
      steps_(Tensor::zeros({}, DType::i64)),
      first_(make_slots()),
      second_(make_slots()) {}

void Adamw::step(double lr, double gradient_scale) {
  const auto t = static_cast<double>(++*steps_.data<int64_t>());
  const AdamwOptions& o = options_;
  for (size_t g = 0; g < groups().size(); ++g) {
    const ParameterGroup& group = groups()[g];
    const AdamwUpdate<double> update{1.0 - lr * group.weight_decay,
                                     lr / (1.0 - std::pow(o.beta1, t)),
                                     std::sqrt(1.0 - std::pow(o.beta2, t)),
                                     o.beta1,
                                     o.beta2,
                                     o.epsilon,
                                     gradient_scale};
    std::vector<AdamwTensors> tensors;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      const Tensor& parameter = group.parameters[i].tensor;
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      parameter.bump_version();
      tensors.push_back({parameter, gradient.contiguous(), first_[g][i], second_[g][i]});
    }
    if (tensors.empty()) continue;
    adamw_kernel.on(tensors.front().parameter.device())(tensors, update);
  }
}

TensorMap Adamw::state() const {
  TensorMap state{{"steps", steps_}};
  add_slots(state, "first", first_);
  add_slots(state, "second", second_);
  return state;
}

}  // namespace diagrad::train
