#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/run/safetensors.h"

namespace diagrad::train {

using NamedParameter = nn::NamedTensor;

/// Parameters that are treated alike.
struct ParameterGroup {
  std::vector<NamedParameter> parameters;
  double weight_decay = 0.0;
};

/// One group with `weight_decay` and one without, for the parameters that `no_decay` names: each
/// entry is a pattern with * and ?, or `1d` for everything of rank 0 and 1 (biases, norms).
/// Throws when an entry fits no parameter.
std::vector<ParameterGroup> make_groups(const std::vector<NamedParameter>& parameters,
                                        double weight_decay,
                                        const std::vector<std::string>& no_decay);

/// Changes parameters by their gradients. Parameters without a gradient are left alone, their
/// state too. Results do not depend on the number of threads.
class Optimizer {
 public:
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
  virtual TensorMap state() const = 0;

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  void zero_grad() const;

 protected:
  /// A zero tensor for each parameter, by position in the groups.
  std::vector<std::vector<Tensor>> make_slots() const;
  void add_slots(TensorMap& state, const std::string& name,
                 const std::vector<std::vector<Tensor>>& slots) const;

 private:
  std::vector<ParameterGroup> groups_;
};

/// The Euclidean norm of all gradients together, summed in double precision in a fixed order. Not
/// finite if and only if one of them is not.
double gradient_norm(const std::vector<ParameterGroup>& groups);

/// What to multiply gradients of this norm by so that it becomes at most `largest`, as PyTorch's
/// clip_grad_norm_: min(1, largest / (norm + 1e-6)). `largest` 0 clips nothing.
double clip_scale(double norm, double largest);

/// The optimizer that the options ask for.
std::unique_ptr<Optimizer> make_optimizer(const Options& options,
                                          const std::vector<NamedParameter>& parameters);

}  // namespace diagrad::train
