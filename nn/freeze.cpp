#include "diagrad/nn/freeze.h"

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/nn/parameter_pattern.h"

namespace diagrad::nn {
namespace {

/// The names of parameters, and each path above them with a * behind it: `layer1*`, `layer1.0*`.
std::vector<std::string> possible_patterns(const std::vector<NamedTensor>& parameters) {
  std::vector<std::string> patterns;
  for (const NamedTensor& parameter : parameters) {
    const std::string& name = parameter.name;
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      patterns.push_back(name.substr(0, dot) + "*");
    }
    patterns.push_back(name);
  }
  return patterns;
}

/// Parameters and buffers of the module itself: their names have no dot.
bool has_own(const std::vector<NamedTensor>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const NamedTensor& tensor) {
    return tensor.name.find('.') == std::string::npos;
  });
}

bool is_frozen_normalisation(const Module& module) {
  const std::vector<NamedTensor> parameters = module.named_parameters();
  return has_own(module.named_buffers()) && has_own(parameters) &&
         std::all_of(parameters.begin(), parameters.end(), [](const NamedTensor& parameter) {
           return !parameter.tensor.requires_grad();
         });
}

}  // namespace

int64_t freeze(Module& model, const std::vector<std::string>& patterns) {
  const std::vector<NamedTensor> parameters = model.named_parameters();
  std::vector<Tensor> chosen;
  for (const std::string& pattern : patterns) {
    const size_t before = chosen.size();
    for (const NamedTensor& parameter : parameters) {
      if (fits_pattern(pattern, parameter)) chosen.push_back(parameter.tensor);
    }
    DG_CHECK(chosen.size() > before,
             "freeze: '{}' fits none of the {} parameters (use names with * and ?, or 1d){}",
             pattern, parameters.size(), did_you_mean(pattern, possible_patterns(parameters)));
  }
  const bool is_any_left =
      std::any_of(parameters.begin(), parameters.end(), [&](const NamedTensor& parameter) {
        return parameter.tensor.requires_grad() &&
               std::none_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                 return fits_pattern(pattern, parameter);
               });
      });
  DG_CHECK(patterns.empty() || is_any_left,
           "freeze: all {} parameters are frozen, nothing is left to train; leave out a part, e.g. "
           "the last layer",
           parameters.size());
  for (const Tensor& tensor : chosen) tensor.set_requires_grad(false);
  return frozen_count(model);
}

int64_t frozen_count(const Module& model) {
  int64_t count = 0;
  for (const NamedTensor& parameter : model.named_parameters()) {
    if (!parameter.tensor.requires_grad()) count += parameter.tensor.numel();
  }
  return count;
}

void train_unfrozen(Module& model) {
  model.train();
  std::vector<std::string> paths;
  model.visit([&](const std::string& path, const Module& module) {
    if (is_frozen_normalisation(module)) paths.push_back(path);
  });
  for (const std::string& path : paths) model.get_submodule(path).eval();
}

}  // namespace diagrad::nn
