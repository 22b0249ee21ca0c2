#include "diagrad/train/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/registry.h"
#include "diagrad/nn/parameter_pattern.h"
#include "diagrad/ops/multi_tensor.h"
#include "diagrad/train/optim/overlap.h"

namespace diagrad::train {
namespace {

/// Refuses a tensor in two places.
void check_distinct(std::string_view what, const std::vector<ParameterGroup>& groups) {
  std::vector<Tensor> tensors;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& parameter : group.parameters) tensors.push_back(parameter.tensor);
  }
  check_no_overlap(what, tensors, [&](size_t number) {
    size_t group = 0;
    while (number >= groups[group].parameters.size()) number -= groups[group++].parameters.size();
    return fmt::format("parameter {} of group {}", groups[group].parameters[number].name, group);
  });
}

Registry<OptimizerInfo>& registry() {
  static Registry<OptimizerInfo> all("optimizer");
  return all;
}

}  // namespace

std::vector<ParameterGroup> make_groups(const std::vector<NamedParameter>& parameters,
                                        double weight_decay,
                                        const std::vector<std::string>& no_decay) {
  for (const std::string& entry : no_decay) {
    DG_CHECK(std::any_of(parameters.begin(), parameters.end(),
                         [&](const NamedParameter& p) { return nn::fits_pattern(entry, p); }),
             "no-decay: '{}' fits none of the {} parameters; use names with * and ?, or 1d", entry,
             parameters.size());
  }
  std::vector<ParameterGroup> groups = {{{}, weight_decay}, {{}, 0.0}};
  for (const NamedParameter& parameter : parameters) {
    const bool exempt =
        std::any_of(no_decay.begin(), no_decay.end(),
                    [&](const std::string& entry) { return nn::fits_pattern(entry, parameter); });
    groups[exempt ? 1 : 0].parameters.push_back(parameter);
  }
  return groups;
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {
  std::map<std::string, size_t> group_of;
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (const NamedParameter& parameter : groups_[g].parameters) {
      DG_CHECK(parameter.tensor.is_contiguous(),
               "optimizer: parameter {} of shape {} is not contiguous", parameter.name,
               parameter.tensor.shape());
    }
  }
  check_distinct("optimizer", groups_);
  // After the tensors: one tensor listed twice has one name too, but that is not what is wrong.
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (const NamedParameter& parameter : groups_[g].parameters) {
      const auto [first, is_new] = group_of.emplace(parameter.name, g);
      DG_CHECK(is_new,
               "optimizer: two parameters are called {}, in group {} and in group {}; their state "
               "could not be told apart",
               parameter.name, first->second, g);
    }
  }
}

void Optimizer::zero_grad() const {
  for (const ParameterGroup& group : groups_) {
    for (const NamedParameter& parameter : group.parameters) {
      if (parameter.tensor.requires_grad()) parameter.tensor.set_grad({});
    }
  }
}

std::vector<std::vector<Tensor>> Optimizer::make_slots() const {
  std::vector<std::vector<Tensor>> slots;
  for (const ParameterGroup& group : groups_) {
    auto& row = slots.emplace_back();
    for (const NamedParameter& parameter : group.parameters) {
      row.push_back(Tensor::zeros_like(parameter.tensor));
    }
  }
  return slots;
}

void Optimizer::add_slots(nn::StateDict& state, const std::string& name,
                          const std::vector<std::vector<Tensor>>& slots) const {
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (size_t i = 0; i < slots[g].size(); ++i) {
      state[name + "." + groups_[g].parameters[i].name] = slots[g][i];
    }
  }
}

double gradient_norm(const std::vector<ParameterGroup>& groups) {
  check_distinct("gradient_norm", groups);
  std::vector<Tensor> gradients;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& parameter : group.parameters) {
      const Tensor gradient = parameter.tensor.grad();
      if (gradient.defined()) gradients.push_back(gradient.contiguous());
    }
  }
  return std::sqrt(sum_of_squares(gradients));
}

double clip_scale(double norm, double largest) {
  return largest > 0.0 ? std::min(1.0, largest / (norm + 1e-6)) : 1.0;
}

bool register_optimizer(OptimizerInfo info) {
  return registry().add(std::move(info));
}

const std::vector<OptimizerInfo>& optimizers() {
  return registry().all();
}

const OptimizerInfo& find_optimizer(std::string_view text) {
  return registry().find(parse_selection("optimizer", text).name);
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view text, std::optional<double> momentum,
                                          std::vector<ParameterGroup> groups) {
  const OptimizerInfo& info = find_optimizer(text);
  DG_CHECK(!momentum || info.momentum, "momentum: optimizer {} has none; leave --momentum out",
           info.name);
  OptimizerSettings settings;
  settings.momentum = momentum.value_or(info.momentum.value_or(0.0));
  settings.options = OptionValues("optimizer", parse_selection("optimizer", text), info.options);
  return info.make(std::move(groups), settings);
}

}  // namespace diagrad::train
