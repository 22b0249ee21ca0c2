#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/math_mode.h"
#include "tests/parity/formula.h"
#include "tests/parity/reference.h"

namespace diagrad::parity {
namespace {

using nlohmann::json;

/// What one training step and one evaluation leave behind, at the initial weights.
struct Pass {
  Tensor logits, eval_logits;
  double loss = 0.0;
  std::vector<Tensor> gradients;
  std::vector<Tensor> statistics;
};

/// From the weights of the formulas on, whatever `model` did before.
Pass run(nn::Module& model, const json& reference, int batch_number, DType dtype) {
  fill_by_formula(model);
  model.train();
  const std::vector<nn::NamedTensor> parameters = model.named_parameters();
  for (const auto& parameter : parameters) parameter.tensor.set_grad({});
  const Example example = example_of(reference, batch_number, dtype);
  Pass pass;
  pass.logits = model.call(example.inputs);
  const Tensor loss = loss_of(pass.logits, example);
  pass.loss = loss.item();
  backward(loss);
  for (const auto& parameter : parameters) pass.gradients.push_back(parameter.tensor.grad());
  for (const auto& buffer : model.named_buffers()) {
    if (buffer.name.find("running") == std::string::npos) continue;
    pass.statistics.push_back(buffer.tensor.clone());
  }
  const NoGrad no_grad;
  model.eval();
  pass.eval_logits = model.call(example.inputs);
  return pass;
}

struct Distance {
  double squares = 0.0;       ///< of the differences
  double norm_squares = 0.0;  ///< of what was wanted
  double largest = 0.0;       ///< difference
  double peak = 0.0;          ///< of what was wanted

  double norm() const { return std::sqrt(norm_squares); }
  double by_norm(double floor = 0.0) const { return std::sqrt(squares) / std::max(norm(), floor); }
  double by_peak() const { return largest / peak; }
};

void add(Distance& distance, const Tensor& got, const Tensor& want) {
  const Tensor a = got.to(DType::f64).contiguous();
  const Tensor b = want.to(DType::f64).contiguous();
  REQUIRE(a.shape() == b.shape());
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double expected = b.data<double>()[i];
    const double difference = a.data<double>()[i] - expected;
    distance.squares += difference * difference;
    distance.norm_squares += expected * expected;
    distance.largest = std::max(distance.largest, std::abs(difference));
    distance.peak = std::max(distance.peak, std::abs(expected));
  }
}

Distance distance(const Tensor& got, const Tensor& want) {
  Distance result;
  add(result, got, want);
  return result;
}

struct GradientErrors {
  double all = 0.0;               ///< of one vector of all of them
  std::vector<double> each = {};  ///< by tensor
};

GradientErrors gradient_errors(const Pass& got, const Pass& want) {
  std::vector<Distance> each;
  Distance all;
  for (size_t i = 0; i < want.gradients.size(); ++i) {
    each.push_back(distance(got.gradients[i], want.gradients[i]));
    all.squares += each.back().squares;
    all.norm_squares += each.back().norm_squares;
  }
  GradientErrors errors{.all = all.by_norm()};
  for (const Distance& one : each) errors.each.push_back(one.by_norm(kGradientFloor * all.norm()));
  return errors;
}

double worst_statistic(const Pass& got, const Pass& want) {
  double worst = 0.0;
  for (size_t i = 0; i < want.statistics.size(); ++i) {
    worst = std::max(worst, distance(got.statistics[i], want.statistics[i]).by_norm());
  }
  return worst;
}

/// The errors of an f32 pass under the names of make_golden.py.
std::map<std::string, double> errors(const Pass& got, const Pass& want,
                                     const GradientErrors& gradients) {
  const std::vector<double>& each = gradients.each;
  std::map<std::string, double> figures = {
      {"logits", distance(got.logits, want.logits).by_peak()},
      {"eval_logits", distance(got.eval_logits, want.eval_logits).by_peak()},
      {"loss", std::abs(got.loss / want.loss - 1.0)},
      {"all_gradients", gradients.all},
      {"worst_gradient", *std::max_element(each.begin(), each.end())}};
  if (!want.statistics.empty()) figures["statistics"] = worst_statistic(got, want);
  return figures;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The largest of PyTorch's ways to compute, or `plain` alone.
double theirs(const json& reference, const std::string& figure, bool any_way) {
  const json& ways = reference["f32_errors"];
  double largest = ways["plain"][figure];
  for (const auto& way : ways) {
    if (any_way) largest = std::max(largest, way[figure].get<double>());
  }
  return largest;
}

/// A loss is one number, whose own rounding to f32 hides what is smaller.
double rounding_of(const std::string& figure) {
  return figure == "loss" ? 0x1p-24 : 0.0;
}

void hold(const std::string& name, const std::string& figure, double mine, double torch,
          double factor = 2.0) {
  MESSAGE(name << " " << figure << ": f32 error " << mine << ", PyTorch's " << torch << ", ratio "
               << mine / torch);
  CHECK_MESSAGE(mine <= std::max(factor * torch, rounding_of(figure)), name << " " << figure);
}

/// Whether the gradient of a parameter is zero by the formula, so that it holds rounding errors
/// only: the bias of keys.
bool cancels(const std::string& parameter) {
  return parameter.ends_with("to_k.bias");
}

/// The errors of each tensor's gradient, by batch.
using ErrorsByTensor = std::map<std::string, std::vector<double>>;

/// The largest medians of the tensors, ours against PyTorch's.
void hold_worst_tensor(const std::string& name, const ErrorsByTensor& errors,
                       const json& reference) {
  for (const bool zero : {false, true}) {
    double mine = 0.0;
    double torch = 0.0;
    for (const auto& entry : errors) {
      if (cancels(entry.first) != zero) continue;
      mine = std::max(mine, median(entry.second));
      torch = std::max(torch, reference["f32_gradient_errors"][entry.first].get<double>());
    }
    if (torch == 0.0) continue;
    hold(name, zero ? "zero_gradient" : "worst_gradient", mine, torch, zero ? 4.0 : 2.0);
  }
}

/// Ours and PyTorch's.
struct Errors {
  double mine = 0.0;
  double torch = 0.0;
};

/// Median errors over the batches, ours against PyTorch's; README.md here says why medians, and why
/// gradients of deep nets are held against the largest of PyTorch's three ways. A `loss` that is
/// given receives the sums of those of the loss, which are then not held.
void check_f32(const std::string& name, Errors* loss = nullptr) {
  const MathModeScope exact(MathMode::exact);
  const json reference = golden(name);
  const bool deep = reference["depth"].get<int>() > 100;
  std::map<std::string, std::vector<double>> ours;
  ErrorsByTensor by_tensor;
  const auto narrow = build(reference, DType::f32);
  const auto wide = build(reference, DType::f64);
  const std::vector<nn::NamedTensor> parameters = wide->named_parameters();
  for (int batch = 0; batch < reference["f32_batches"].get<int>(); ++batch) {
    const Pass got = run(*narrow, reference, batch, DType::f32);
    const Pass want = run(*wide, reference, batch, DType::f64);
    const GradientErrors gradients = gradient_errors(got, want);
    for (const auto& entry : errors(got, want, gradients)) {
      ours[entry.first].push_back(entry.second);
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      by_tensor[parameters[i].name].push_back(gradients.each.at(i));
    }
  }
  for (const auto& entry : ours) {
    const std::string& figure = entry.first;
    if (figure == "worst_gradient" && !deep) {
      hold_worst_tensor(name, by_tensor, reference);
      continue;
    }
    const double mine = median(entry.second);
    const bool any_way = deep && figure.find("gradient") != std::string::npos;
    const double torch = theirs(reference, figure, any_way);
    if (figure == "loss" && loss != nullptr) {
      loss->mine += mine;
      loss->torch += torch;
    } else {
      hold(name, figure, mine, torch);
    }
  }
}

TEST_CASE("the f32 error of ResNet-20 is at most twice PyTorch's") {
  for (const char* name :
       {"resnet20-none", "resnet20-dia-lstm", "resnet20-dia-lstm-cells2", "resnet20-dia-lstm-tanh",
        "resnet20-se-block", "resnet20-se-stage", "resnet20-eca-block"}) {
    check_f32(name);
  }
}

TEST_CASE("the f32 error of vision transformers is at most twice PyTorch's") {
  for (const std::string& name : vit_goldens()) check_f32(name);
}

TEST_CASE("the f32 error of U-nets is at most twice PyTorch's") {
  Errors loss;
  for (const std::string& name : unet_goldens()) check_f32(name, &loss);
  hold("all U-nets", "loss", loss.mine, loss.torch);
}

TEST_CASE("the f32 error of ResNet-164 is at most twice PyTorch's") {
  for (const char* name : {"resnet164-none", "resnet164-dia-lstm"}) check_f32(name);
}

}  // namespace
}  // namespace diagrad::parity
