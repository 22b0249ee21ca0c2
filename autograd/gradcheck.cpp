#include "diagrad/autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/core/random.h"

namespace diagrad::autograd {
namespace {

double dot(const Tensor& a, const Tensor& b) {
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  double sum = 0.0;
  for (int64_t i = 0; i < left.numel(); ++i)
    sum += left.data<double>()[i] * right.data<double>()[i];
  return sum;
}

std::vector<Tensor> floating_outputs(const TensorFunction& function,
                                     std::span<const Tensor> inputs) {
  const std::vector<Tensor> all = function(inputs);
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!is_floating(all[i].dtype())) continue;
    DG_CHECK(all[i].dtype() == DType::f64,
             "gradcheck: output {} is {} {}; floating outputs must be f64", i, all[i].dtype(),
             all[i].shape());
    outputs.push_back(all[i]);
  }
  DG_CHECK(!outputs.empty(), "gradcheck: the function returned no f64 tensor");
  return outputs;
}

double projected(const TensorFunction& function, std::span<const Tensor> inputs,
                 std::span<const Tensor> vectors) {
  const NoGrad no_grad;
  const std::vector<Tensor> outputs = floating_outputs(function, inputs);
  double sum = 0.0;
  for (size_t i = 0; i < outputs.size(); ++i) sum += dot(outputs[i], vectors[i]);
  return sum;
}

/// Writes through the handle without counting a version: the value is put back.
double numeric_derivative(const TensorFunction& function, std::span<const Tensor> inputs,
                          std::span<const Tensor> vectors, double* element, double step) {
  const double value = *element;
  const double scaled = step * std::max(1.0, std::abs(value));
  *element = value + scaled;
  const double above = projected(function, inputs, vectors);
  *element = value - scaled;
  const double below = projected(function, inputs, vectors);
  *element = value;
  return (above - below) / (2.0 * scaled);
}

std::string input_name(size_t i, const GradcheckOptions& options) {
  return i < options.names.size() ? options.names[i] : fmt::format("input {}", i);
}

std::vector<Tensor> inputs_to_check(std::span<const Tensor> inputs) {
  std::vector<Tensor> checked;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    if (!input.defined() || !is_floating(input.dtype())) continue;
    DG_CHECK(input.dtype() == DType::f64,
             "gradcheck: input {} is {} {}; floating inputs must be f64", i, input.dtype(),
             input.shape());
    if (!input.requires_grad()) continue;
    DG_CHECK(input.is_contiguous(), "gradcheck: input {} is f64 {} but not contiguous", i,
             input.shape());
    checked.push_back(input);
  }
  DG_CHECK(!checked.empty(), "gradcheck: no input requires gradients");
  return checked;
}

/// Of the outputs that have a graph: a change of the others shows in the differences alone.
std::vector<Tensor> gradients_of(const std::vector<Tensor>& outputs,
                                 const std::vector<Tensor>& vectors,
                                 const std::vector<Tensor>& checked) {
  std::vector<Tensor> roots;
  std::vector<Tensor> weights;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) continue;
    roots.push_back(outputs[i]);
    weights.push_back(vectors[i]);
  }
  return grad(roots, checked, weights);
}

}  // namespace

GradcheckResult gradcheck(const TensorFunction& function, std::span<const Tensor> inputs,
                          const GradcheckOptions& options) {
  DG_CHECK(options.step > 0.0 && options.max_elements >= 1,
           "gradcheck: step {} and at most {} elements per input; both must be positive",
           options.step, options.max_elements);
  const std::vector<Tensor> checked = inputs_to_check(inputs);
  RandomStream random(options.seed, stream_id("gradcheck"));
  const std::vector<Tensor> outputs = floating_outputs(function, inputs);
  std::vector<Tensor> vectors;
  for (const Tensor& output : outputs) {
    vectors.push_back(uniform(output.shape(), -1.0, 1.0, random, DType::f64));
  }
  const std::vector<Tensor> analytic = gradients_of(outputs, vectors, checked);

  GradcheckResult result;
  double largest = 0.0;
  for (size_t i = 0; i < checked.size(); ++i) {
    const int64_t size = checked[i].numel();
    std::vector<int64_t> order = permutation(size, random);
    order.resize(static_cast<size_t>(std::min(size, options.max_elements)));
    const Tensor gradient =
        analytic[i].defined() ? analytic[i].contiguous() : Tensor::zeros_like(checked[i]);
    std::vector<double> numeric;
    double scale = 1.0;
    for (const int64_t index : order) {
      numeric.push_back(numeric_derivative(function, inputs, vectors,
                                           checked[i].data<double>() + index, options.step));
      scale = std::max(scale, std::abs(numeric.back()));
      largest = std::max(largest, std::abs(numeric.back()));
    }
    for (size_t k = 0; k < order.size(); ++k) {
      const double got = gradient.data<double>()[order[k]];
      const double error = std::abs(got - numeric[k]) / scale;
      if (!std::isnan(result.worst) && !(error <= result.worst)) {  // a NaN is the worst, and stays
        result.worst = error;
        result.message = fmt::format(
            "{} {}, element {}: derivative {:.12g}, central difference {:.12g} "
            "(scaled error {:.3g}, tolerance {:.3g})",
            input_name(i, options), checked[i].shape(), order[k], got, numeric[k], error,
            options.tolerance);
      }
    }
  }
  if (largest == 0.0 && result.worst <= options.tolerance) {
    return {false, 0.0, "every central difference is zero: the check proves nothing"};
  }
  result.passed = result.worst <= options.tolerance;
  if (result.passed) result.message.clear();
  return result;
}

}  // namespace diagrad::autograd
