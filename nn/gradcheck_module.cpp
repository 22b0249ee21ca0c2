#include "diagrad/nn/gradcheck_module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/nn/mode_scope.h"
#include "diagrad/nn/random_scope.h"

namespace diagrad::nn {
namespace {

using autograd::GradcheckResult;

/// Holds a module in f64, and gives back data, gradients and modes at the end.
class DoublePrecision {
 public:
  explicit DoublePrecision(Module& module) : modes_(module) {
    for (const auto& named : module.named_parameters()) remember(named.tensor);
    for (const auto& named : module.named_buffers()) remember(named.tensor);
    module.to(DType::f64);
    for (const NamedTensor& buffer : module.named_buffers()) {
      buffers_.emplace_back(buffer.tensor, buffer.tensor.clone());
      // In f64 already, it would still share its data with what is given back.
      buffer.tensor.set_data(buffer.tensor.clone());
    }
  }
  ~DoublePrecision() {
    for (const Original& original : originals_) {
      original.tensor.set_grad_meta(nullptr);
      original.tensor.set_data(original.data);
      original.tensor.set_grad_meta(original.meta);
    }
  }
  DoublePrecision(const DoublePrecision&) = delete;
  DoublePrecision& operator=(const DoublePrecision&) = delete;

  void put_buffers_back() const {
    for (const auto& buffer : buffers_) buffer.first.copy_(buffer.second);
  }

 private:
  struct Original {
    Tensor tensor;
    Tensor data;
    std::shared_ptr<GradMeta> meta;
  };

  void remember(const Tensor& tensor) {
    originals_.push_back({tensor, tensor.detach(), tensor.grad_meta()});
  }

  ModeScope modes_;
  std::vector<Original> originals_;
  std::vector<std::pair<Tensor, Tensor>> buffers_;  ///< live, as it was
};

/// A module and inputs in f64, ready to be evaluated again and again.
class Trial {
 public:
  Trial(Module& module, const std::vector<Tensor>& inputs, const GradcheckModuleOptions& options)
      : module_(module), options_(options), doubles_(module) {
    for (const Tensor& input : inputs) {
      const bool floating = is_floating(input.dtype());
      inputs_.push_back((floating ? input.to(DType::f64) : input).clone());
      if (floating) inputs_.back().set_requires_grad(true);
    }
  }

  GradcheckResult check(bool training) {
    module_.train(training);
    const std::string mode = training ? "training" : "evaluation";
    if (!repeats()) {
      return {false, 0.0,
              mode +
                  ": two evaluations of the same inputs differ; what a module keeps between "
                  "calls must be a buffer, and masks must come from RandomScope"};
    }
    GradcheckResult result;
    std::vector<std::string> without_effect;
    for (const auto& [name, tensor] : learned()) {
      const GradcheckResult one = check_one(name, tensor);
      if (!one.passed && one.worst == 0.0) without_effect.push_back(name);
      if (std::isnan(result.worst) || one.worst <= result.worst) continue;
      result.worst = one.worst;
      if (!one.passed) result.message = mode + ": " + one.message;
    }
    if (!without_effect.empty()) {
      result.message = fmt::format(
          "{}: no effect on the output: {}; forgotten in forward, or cut off, as by a ReLU at 0?{}",
          mode, fmt::join(without_effect, ", "),
          result.message.empty() ? "" : " And " + result.message);
    }
    result.passed = result.message.empty();
    return result;
  }

 private:
  std::vector<NamedTensor> learned() const {
    std::vector<NamedTensor> found;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].requires_grad()) found.push_back({fmt::format("input {}", i), inputs_[i]});
    }
    for (const NamedTensor& parameter : module_.named_parameters()) {
      if (!parameter.tensor.requires_grad()) continue;  // frozen
      found.push_back({"parameter " + parameter.name, parameter.tensor});
    }
    DG_CHECK(!found.empty(), "gradcheck_module: neither inputs nor parameters have gradients");
    return found;
  }

  std::vector<Tensor> evaluate() {
    doubles_.put_buffers_back();
    const RandomScope scope(options_.seed, 0);
    if (options_.forward) return options_.forward(inputs_);
    return {module_.forward(inputs_[0])};
  }

  bool repeats() {
    const NoGrad no_grad;
    const std::vector<Tensor> first = evaluate();
    const std::vector<Tensor> second = evaluate();
    if (first.size() != second.size()) return false;
    for (size_t i = 0; i < first.size(); ++i) {
      const Tensor a = first[i].contiguous();
      const Tensor b = second[i].contiguous();
      if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
      const auto bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
      if (bytes > 0 && std::memcmp(a.raw_data(), b.raw_data(), bytes) != 0) return false;
    }
    return true;
  }

  GradcheckResult check_one(const std::string& name, const Tensor& tensor) {
    autograd::GradcheckOptions check = options_.check;
    check.names = {name};
    return autograd::gradcheck([this](std::span<const Tensor>) { return evaluate(); }, {&tensor, 1},
                               check);
  }

  Module& module_;
  const GradcheckModuleOptions& options_;
  DoublePrecision doubles_;
  std::vector<Tensor> inputs_;
};

}  // namespace

GradcheckResult gradcheck_module(Module& module, const std::vector<Tensor>& inputs,
                                 const GradcheckModuleOptions& options) {
  DG_CHECK(options.training || options.evaluation,
           "gradcheck_module: neither training nor evaluation is to be checked");
  DG_CHECK(options.forward || inputs.size() == 1,
           "gradcheck_module: {} inputs; give options.forward, which calls the module with them",
           inputs.size());
  Trial trial(module, inputs, options);
  GradcheckResult result;
  for (const bool training : {true, false}) {
    if (training ? !options.training : !options.evaluation) continue;
    GradcheckResult one = trial.check(training);
    if (!one.passed) return one;
    result.worst = std::max(result.worst, one.worst);
  }
  return result;
}

}  // namespace diagrad::nn
