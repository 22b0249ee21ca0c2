#include "diagrad/train/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor.h"
#include "diagrad/train/optim/adamw.h"
#include "diagrad/train/optim/sgd.h"

namespace diagrad::train {
namespace {

/// Whether `text` fits a pattern where * stands for any characters and ? for one. After a mismatch
/// the last * takes one character more: no recursion, at most |pattern| * |text| steps.
bool fits(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(),
                     [](char c) { return c == '*'; });
}

bool fits(const std::string& entry, const NamedParameter& parameter) {
  return entry == "1d" ? parameter.tensor.rank() <= 1 : fits(entry, parameter.name);
}

}  // namespace

std::vector<ParameterGroup> make_groups(const std::vector<NamedParameter>& parameters,
                                        double weight_decay,
                                        const std::vector<std::string>& no_decay) {
  for (const std::string& entry : no_decay) {
    DG_CHECK(std::any_of(parameters.begin(), parameters.end(),
                         [&](const NamedParameter& p) { return fits(entry, p); }),
             "no-decay: '{}' fits none of the {} parameters; use names with * and ?, or 1d", entry,
             parameters.size());
  }
  std::vector<ParameterGroup> groups = {{{}, weight_decay}, {{}, 0.0}};
  for (const NamedParameter& parameter : parameters) {
    const bool exempt =
        std::any_of(no_decay.begin(), no_decay.end(),
                    [&](const std::string& entry) { return fits(entry, parameter); });
    groups[exempt ? 1 : 0].parameters.push_back(parameter);
  }
  return groups;
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {
  for (const ParameterGroup& group : groups_) {
    for (const NamedParameter& parameter : group.parameters) {
      DG_CHECK(parameter.tensor.is_contiguous(),
               "optimizer: parameter {} of shape {} is not contiguous", parameter.name,
               parameter.tensor.shape());
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

void Optimizer::add_slots(TensorMap& state, const std::string& name,
                          const std::vector<std::vector<Tensor>>& slots) const {
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (size_t i = 0; i < slots[g].size(); ++i) {
      state[name + "." + groups_[g].parameters[i].name] = slots[g][i];
    }
  }
}

double gradient_norm(const std::vector<ParameterGroup>& groups) {
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

std::unique_ptr<Optimizer> make_optimizer(const Options& options,
                                          const std::vector<NamedParameter>& parameters) {
  auto groups = make_groups(parameters, options.weight_decay, options.no_decay);
  if (options.optimizer == "adamw") {
    return std::make_unique<Adamw>(std::move(groups),
                                   AdamwOptions{options.beta1, options.beta2, options.epsilon});
  }
  DG_CHECK(options.optimizer == "sgd", "optimizer: '{}' is unknown, use one of: sgd, adamw",
           options.optimizer);
  return std::make_unique<Sgd>(std::move(groups), SgdOptions{options.momentum, options.nesterov});
}

}  // namespace diagrad::train
