#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/tensor.h"
#include "diagrad/nn/module.h"

namespace diagrad::train {

using NamedParameter = nn::NamedTensor;

/// Parameters that are treated alike.
struct ParameterGroup {
  std::vector<NamedParameter> parameters;
  double weight_decay = 0.0;
};

/// One group with `weight_decay` and one without, for the parameters that fit an entry of
/// `no_decay` (nn/parameter_pattern.h). Throws when an entry fits no parameter.
std::vector<ParameterGroup> make_groups(const std::vector<NamedParameter>& parameters,
                                        double weight_decay,
                                        const std::vector<std::string>& no_decay);

/// Changes parameters by their gradients. Parameters without a gradient are left alone, their
/// state too. Results do not depend on the number of threads.
class Optimizer {
 public:
  /// Throws Error(usage) for a parameter that is not contiguous and, naming both places, for one
  /// tensor or one name in two places: it would be updated twice, its state kept once.
  explicit Optimizer(std::vector<ParameterGroup> groups);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step with every gradient multiplied by `gradient_scale` first (see clip_scale).
  virtual void step(double lr, double gradient_scale = 1.0) = 0;
  /// Momentum of sgd, beta1 of adamw, from the next step on: for schedules that move it.
  virtual void set_momentum(double momentum) = 0;
  /// Handles of everything that the next step depends on beside parameters and gradients, by name;
  /// copying into them restores it.
  virtual nn::StateDict state() const = 0;

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  void zero_grad() const;

 protected:
  /// A zero tensor for each parameter, by position in the groups.
  std::vector<std::vector<Tensor>> make_slots() const;
  void add_slots(nn::StateDict& state, const std::string& name,
                 const std::vector<std::vector<Tensor>>& slots) const;

 private:
  std::vector<ParameterGroup> groups_;
};

/// The Euclidean norm of all gradients together, summed in double precision in a fixed order. Not
/// finite if and only if one of them is not. Throws for a tensor in two places, as Optimizer.
double gradient_norm(const std::vector<ParameterGroup>& groups);

/// What to multiply gradients of this norm by so that it becomes at most `largest`, as PyTorch's
/// clip_grad_norm_: min(1, largest / (norm + 1e-6)). `largest` 0 clips nothing.
double clip_scale(double norm, double largest);

/// What every optimizer is made with beside the groups.
struct OptimizerSettings {
  double momentum = 0.0;      ///< of optimizers that have one
  OptionValues options = {};  ///< the optimizer's own, defaults filled in
};

/// An entry of the registry: `--optimizer name:option=value,...`.
struct OptimizerInfo {
  std::string name = {};
  std::string help = {};      ///< one line
  std::string citation = {};  ///< paper or public file
  std::vector<Option> options = {};
  double lr = 0.1;                      ///< peak learning rate where `--lr` is 0
  std::optional<double> momentum = {};  ///< default of `--momentum`; nothing: it has none
  /// Throws Error(usage) for settings that do not fit together; the groups may be empty.
  std::function<std::unique_ptr<Optimizer>(std::vector<ParameterGroup>, const OptimizerSettings&)>
      make = {};
};

/// `const bool registered = register_optimizer({...});` at namespace scope of the optimizer's file.
bool register_optimizer(OptimizerInfo info);
/// All optimizers, in order of their names.
const std::vector<OptimizerInfo>& optimizers();
/// Throws Error(usage) with the names there are.
const OptimizerInfo& find_optimizer(std::string_view name);

/// The optimizer that `name:option=value,...` describes. A momentum that is given to an optimizer
/// without one is Error(usage); nothing: the optimizer's default.
std::unique_ptr<Optimizer> make_optimizer(std::string_view text, std::optional<double> momentum,
                                          std::vector<ParameterGroup> groups);

}  // namespace diagrad::train
