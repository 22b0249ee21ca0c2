#include "diagrad/train/optim/adamw.h"

#include <memory>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor.h"

namespace diagrad::train {
namespace {

Option beta_option(const char* name, double default_value, const char* help) {
  Option option = float_option(name, default_value, 0.0, 1.0, help);
  option.below_high = true;
  return option;
}

[[maybe_unused]] const bool registered = register_optimizer(
    {.name = "adamw",
     .help = "Adam with decoupled weight decay",
     .citation = "Loshchilov and Hutter, ICLR 2019",
     .options = {beta_option("beta1", 0.9, "decay of the mean of gradients"),
                 beta_option("beta2", 0.999, "decay of the mean of their squares"),
                 float_option("epsilon", 1e-8, 0.0, 1.0, "added to the divisor")},
     .lr = 1e-3,
     .make = [](std::vector<ParameterGroup> groups, const OptimizerSettings& settings) {
       const OptionValues& o = settings.options;
       return std::make_unique<Adamw>(
           std::move(groups),
           AdamwOptions{o.get_float("beta1"), o.get_float("beta2"), o.get_float("epsilon")});
     }});

}  // namespace

Adamw::Adamw(std::vector<ParameterGroup> groups, const AdamwOptions& options)
    : Optimizer(std::move(groups)), options_(options), first_(make_slots()), second_(make_slots()) {
  DG_CHECK(
      options.beta1 >= 0.0 && options.beta1 < 1.0 && options.beta2 >= 0.0 && options.beta2 < 1.0 &&
          options.epsilon >= 0.0,
      "optimizer: adamw with beta1 {}, beta2 {}, epsilon {}; betas must lie in [0, 1), epsilon "
      "must not be negative",
      options.beta1, options.beta2, options.epsilon);
  for (const ParameterGroup& group : this->groups()) {
    auto& row = steps_.emplace_back();
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      row.push_back(Tensor::zeros({}, DType::i64));
    }
  }
}

void Adamw::step(double lr, double gradient_scale) {
  for (size_t g = 0; g < groups().size(); ++g) {
    const ParameterGroup& group = groups()[g];
    std::vector<AdamwTensors> tensors;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      const Tensor& parameter = group.parameters[i].tensor;
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      const int64_t step = ++*steps_[g][i].data<int64_t>();
      tensors.push_back({parameter, gradient.contiguous(), first_[g][i], second_[g][i], step});
    }
    multi_tensor_adamw(tensors, {.lr = lr,
                                 .beta1 = options_.beta1,
                                 .beta2 = options_.beta2,
                                 .epsilon = options_.epsilon,
                                 .weight_decay = group.weight_decay,
                                 .gradient_scale = gradient_scale});
  }
}

nn::StateDict Adamw::state() const {
  nn::StateDict state;
  add_slots(state, "first", first_);
  add_slots(state, "second", second_);
  add_slots(state, "step", steps_);
  return state;
}

}  // namespace diagrad::train
