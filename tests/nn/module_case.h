#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "diagrad/core/random.h"
#include "diagrad/nn/module.h"

namespace diagrad::testing {

/// One layer with one set of options: the single description from which every module suite is made
/// (f64 gradient check in both modes, names and shapes of the state, save and load, training
/// against evaluation, f32 against f64, the text of one error).
struct ModuleCase {
  std::string module;   ///< the class, e.g. "Conv2d"
  std::string variant;  ///< what this case stresses
  std::function<std::shared_ptr<nn::Module>(RandomStream&)> make;
  /// The f64 or i64 input of one call, away from kinks.
  std::function<Tensor(RandomStream&)> input;
  /// "weight [4,3] bias [4]": parameters, then buffers, in order; empty for none.
  std::string state = {};
  bool has_modes = false;  ///< training and evaluation give different outputs
  /// The shape of an f32 input that does not fit, and a part of the error's text. Without a text
  /// every input fits.
  Shape wrong_input = {};
  std::string error = {};
  /// Another form than module.forward(input).
  std::function<Tensor(nn::Module&, const Tensor&)> run = {};

  Tensor forward(nn::Module& instance, const Tensor& x) const {
    return run ? run(instance, x) : instance.forward(x);
  }
};

/// All registered cases, in order of module and variant.
const std::vector<ModuleCase>& module_cases();

/// `const ModuleCaseRegistration registered{ {...case...} };` at namespace scope.
struct ModuleCaseRegistration {
  ModuleCaseRegistration(std::initializer_list<ModuleCase> cases);
};

/// A factory of modules made of a spec, with or without random first weights.
template <typename M, typename Spec>
std::function<std::shared_ptr<nn::Module>(RandomStream&)> making(const Spec& spec) {
  return [spec](RandomStream& random) -> std::shared_ptr<nn::Module> {
    if constexpr (std::is_constructible_v<M, const Spec&, RandomStream&>) {
      return std::make_shared<M>(spec, random);
    } else {
      return std::make_shared<M>(spec);
    }
  };
}

/// Inputs of a shape: f64 with every |x| in [0.05, 1).
std::function<Tensor(RandomStream&)> values(const Shape& shape);

}  // namespace diagrad::testing
