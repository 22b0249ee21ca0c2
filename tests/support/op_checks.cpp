#include "tests/support/op_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/gradcheck.h"
#include "diagrad/core/allocator.h"
#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"

namespace diagrad::testing {
namespace {

constexpr uint64_t kSeed = 1;

std::string name_of(const OpCase& test, DType dtype) {
  return fmt::format("{}, {}, {}, seed {}", test.op, test.variant, dtype, kSeed);
}

std::vector<Tensor> inputs_of(const OpCase& test) {
  RandomStream random(kSeed, stream_id("op case"));
  return test.inputs(random);
}

bool takes_gradient(const OpCase& test, const std::vector<Tensor>& inputs, size_t i) {
  if (!test.has_gradient || !inputs[i].defined()) return false;
  return test.differentiable.empty() ? inputs[i].dtype() == DType::f64 : test.differentiable[i];
}

/// The f64 inputs rounded to `dtype`; others as they are.
std::vector<Tensor> rounded(const std::vector<Tensor>& inputs, DType dtype) {
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    const bool floating = input.defined() && input.dtype() == DType::f64;
    result.push_back(floating && dtype != DType::f64 ? input.to(dtype) : input);
  }
  return result;
}

std::vector<Tensor> as_f64(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    result.push_back(tensor.defined() && is_floating(tensor.dtype()) ? tensor.to(DType::f64)
                                                                     : tensor);
  }
  return result;
}

double element(const Tensor& contiguous, int64_t i) {
  switch (contiguous.dtype()) {
    case DType::f64:
      return contiguous.data<double>()[i];
    case DType::f32:
      return static_cast<double>(contiguous.data<float>()[i]);
    case DType::i64:
      return static_cast<double>(contiguous.data<int64_t>()[i]);
    case DType::i32:
      return static_cast<double>(contiguous.data<int32_t>()[i]);
    case DType::u8:
      return static_cast<double>(contiguous.data<uint8_t>()[i]);
    case DType::bf16:
      break;
  }
  return element(contiguous.to(DType::f64), i);
}

double largest(const Tensor& contiguous) {
  double result = 0.0;
  for (int64_t i = 0; i < contiguous.numel(); ++i) {
    const double size = std::abs(element(contiguous, i));
    if (std::isfinite(size)) result = std::max(result, size);
  }
  return result;
}

double tolerance_for(int64_t reduction_length, DType dtype) {
  const double epsilon = dtype == DType::f64 ? std::numeric_limits<double>::epsilon()
                                             : std::numeric_limits<float>::epsilon();
  return epsilon * 8.0 * (4.0 + std::sqrt(static_cast<double>(reduction_length)));
}

double tolerance_of(const OpCase& test, DType dtype) {
  return tolerance_for(test.reduction_length, dtype);
}

/// What differs between two tensors by more than `tolerance` times the largest expected value, or
/// `size` if that is more; empty when nothing does. NaN differs from everything.
std::string compare(const Tensor& got, const Tensor& expected, double tolerance,
                    const std::string& what, double size = 0.0) {
  if (got.defined() != expected.defined()) {
    return fmt::format("{} is {}defined", what, got.defined() ? "" : "un");
  }
  if (!got.defined()) return {};
  if (got.shape() != expected.shape()) {
    return fmt::format("{} has shape {}, expected {}", what, got.shape(), expected.shape());
  }
  const Tensor a = got.contiguous();
  const Tensor b = expected.contiguous();
  const double allowed = tolerance * std::max(largest(b), size);
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double x = element(a, i);
    const double y = element(b, i);
    if (x == y || std::abs(x - y) <= allowed) continue;
    return fmt::format("{} {}, element {}: got {:.12g}, expected {:.12g}, allowed {:.3g}", what,
                       b.shape(), i, x, y, allowed);
  }
  return {};
}

std::string compare(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                    double tolerance, const char* what) {
  if (got.size() != expected.size()) {
    return fmt::format("{} {}s, expected {}", got.size(), what, expected.size());
  }
  for (size_t k = 0; k < got.size(); ++k) {
    std::string wrong = compare(got[k], expected[k], tolerance, fmt::format("{} {}", what, k));
    if (!wrong.empty()) return wrong;
  }
  return {};
}

struct Outcome {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;
};

/// What evaluate() makes of the gradients that it sends into the outputs.
using Arrange = std::function<Tensor(const Tensor&)>;

/// Runs the operation and, where it has one, its derivative for fixed output gradients, which are
/// f32 numbers in every dtype.
Outcome evaluate(const OpCase& test, const std::vector<Tensor>& inputs,
                 const std::vector<bool>& wanted, const Arrange& arrange = {}) {
  std::vector<Tensor> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    inputs[i].set_requires_grad(true);
    leaves.push_back(inputs[i]);
  }
  Outcome outcome;
  outcome.outputs = test.run(inputs);
  if (leaves.empty()) return outcome;
  std::vector<Tensor> roots;
  std::vector<Tensor> vectors;
  RandomStream random(kSeed, stream_id("output gradients"));
  for (const Tensor& output : outcome.outputs) {
    if (!is_floating(output.dtype())) continue;
    roots.push_back(output);
    const Tensor vector = uniform(output.shape(), -1.0, 1.0, random).to(output.dtype());
    vectors.push_back(arrange ? arrange(vector) : vector);
  }
  outcome.gradients = autograd::grad(roots, leaves, vectors);
  return outcome;
}

std::vector<bool> wanted_of(const OpCase& test, const std::vector<Tensor>& inputs) {
  std::vector<bool> wanted;
  for (size_t i = 0; i < inputs.size(); ++i) wanted.push_back(takes_gradient(test, inputs, i));
  return wanted;
}

Outcome evaluate(const OpCase& test, DType dtype) {
  const std::vector<Tensor> inputs = inputs_of(test);
  return evaluate(test, rounded(inputs, dtype), wanted_of(test, inputs));
}

/// The same values in a layout with the axes in reverse order and a gap after each element.
Tensor scattered(const Tensor& x) {
  Shape strides = x.shape();
  int64_t step = 2;
  for (int axis = 0; axis < x.rank(); ++axis) {
    strides[axis] = step;
    step *= x.size(axis);
  }
  const Tensor block = Tensor::zeros({step + 1}, x.dtype());
  const Tensor view = block.strided(x.shape(), strides, 1);
  view.copy_(x);
  return view;
}

/// What is at 0 of the first or last axis that is longer than 1, repeated over it.
Tensor repeated(const Tensor& x, bool first) {
  int axis = -1;
  for (int i = 0; i < x.rank(); ++i) {
    if (x.size(i) > 1 && (axis == -1 || !first)) axis = i;
  }
  if (axis == -1) return x;
  Shape strides = x.strides();
  strides[axis] = 0;
  return x.strided(x.shape(), strides);
}

enum class Layout { scattered, first_axis_repeats, last_axis_repeats };

Tensor laid_out(const Tensor& x, Layout layout) {
  if (!x.defined() || x.rank() == 0) return x;
  return layout == Layout::scattered ? scattered(x)
                                     : repeated(x, layout == Layout::first_axis_repeats);
}

std::string compare_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                         const char* what) {
  std::string difference = compare(got, expected, 0.0, what);
  for (size_t k = 0; difference.empty() && k < got.size(); ++k) {
    if (!got[k].defined() || got[k].numel() == 0) continue;
    const Tensor a = got[k].contiguous();
    const Tensor b = expected[k].contiguous();
    const auto bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
    if (std::memcmp(a.raw_data(), b.raw_data(), bytes) != 0) {
      difference = fmt::format("{} {} differs in bits, though not in values", what, k);
    }
  }
  return difference;
}

std::string compare_bits(const Outcome& got, const Outcome& expected) {
  const std::string outputs = compare_bits(got.outputs, expected.outputs, "output");
  return outputs.empty() ? compare_bits(got.gradients, expected.gradients, "gradient") : outputs;
}

/// Guard bytes and poisoned memory for as long as it lives.
class GuardedMemory {
 public:
  GuardedMemory() { CpuAllocator::instance().set_guard(true); }
  ~GuardedMemory() { CpuAllocator::instance().set_guard(false); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
};

class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(num_threads()) { set_num_threads(count); }
  ~ThreadCount() { set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

std::string find_nan(const std::vector<Tensor>& tensors, const char* what) {
  for (size_t k = 0; k < tensors.size(); ++k) {
    if (!tensors[k].defined() || !is_floating(tensors[k].dtype())) continue;
    const Tensor values = tensors[k].contiguous();
    for (int64_t i = 0; i < values.numel(); ++i) {
      if (!std::isnan(element(values, i))) continue;
      return fmt::format("{} {} {}, element {} is NaN: it was never written", what, k,
                         values.shape(), i);
    }
  }
  return {};
}

/// Length of the sums behind a gradient: as many products as behind the outputs, spread over the
/// elements of the input, but each output adds to an element once. The derivative of a
/// normalisation sums over what its forward pass does.
int64_t gradient_length(const OpCase& test, const std::vector<Tensor>& outputs,
                        const Tensor& gradient) {
  int64_t count = 0;
  for (const Tensor& output : outputs) count += output.numel();
  const int64_t spread = count * test.reduction_length / std::max<int64_t>(gradient.numel(), 1);
  return std::max(test.reduction_length, std::min(count, spread));
}

std::string with_name(const OpCase& test, DType dtype, const std::string& difference) {
  return difference.empty() ? "" : name_of(test, dtype) + ": " + difference;
}

}  // namespace

std::string check_reference(const OpCase& test, DType dtype) {
  const NoGrad no_grad;
  const std::vector<Tensor> inputs = rounded(inputs_of(test), dtype);
  const std::vector<Tensor> expected = test.reference(as_f64(inputs));
  const std::vector<Tensor> got = test.run(inputs);
  std::string difference = compare(got, expected, tolerance_of(test, dtype), "output");
  if (difference.empty() && !test.empty) {
    double most = 0.0;
    bool floating = false;
    for (const Tensor& output : got) {
      most = std::max(most, largest(output.contiguous()));
      floating = floating || is_floating(output.dtype());
    }
    if (floating && most == 0.0) difference = "every output is zero: the case proves nothing";
  }
  return with_name(test, dtype, difference);
}

std::string check_gradient(const OpCase& test) {
  if (!test.has_gradient) return {};
  const std::vector<Tensor> inputs = inputs_of(test);
  const std::vector<bool> wanted = wanted_of(test, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (wanted[i]) inputs[i].set_requires_grad(true);
  }
  const autograd::GradcheckResult result = autograd::gradcheck(test.run, inputs);
  if (!test.empty) return with_name(test, DType::f64, result.message);

  std::string wrong = result.worst == 0.0 ? "" : result.message;  // all zero is no surprise here
  const Outcome outcome = evaluate(test, inputs, wanted);
  for (size_t i = 0, k = 0; i < inputs.size() && wrong.empty(); ++i) {
    if (!wanted[i]) continue;
    const Tensor& gradient = outcome.gradients[k++];
    if (!gradient.defined() || gradient.shape() != inputs[i].shape()) {
      wrong = fmt::format("the gradient of input {} has shape {}, expected {}", i,
                          gradient.defined() ? gradient.shape().str() : "none", inputs[i].shape());
    }
  }
  return with_name(test, DType::f64, wrong);
}

std::string check_f32_gradient(const OpCase& test) {
  if (!test.has_gradient) return {};
  const std::vector<Tensor> inputs = inputs_of(test);
  const std::vector<bool> wanted = wanted_of(test, inputs);
  const std::vector<Tensor> single = rounded(inputs, DType::f32);
  const Outcome expected = evaluate(test, as_f64(single), wanted);
  const Outcome got = evaluate(test, single, wanted);
  std::string wrong;
  for (size_t k = 0; k < expected.gradients.size() && wrong.empty(); ++k) {
    const Tensor& right = expected.gradients[k];
    const int64_t length = right.defined() ? gradient_length(test, expected.outputs, right) : 0;
    wrong = compare(got.gradients[k], right, tolerance_for(length, DType::f32),
                    fmt::format("gradient {}", k), test.gradient_terms);
  }
  return with_name(test, DType::f32, wrong);
}

std::string check_strided(const OpCase& test, DType dtype) {
  const double tolerance = tolerance_of(test, dtype);
  for (const Layout layout :
       {Layout::scattered, Layout::first_axis_repeats, Layout::last_axis_repeats}) {
    const std::vector<Tensor> inputs = inputs_of(test);
    std::vector<Tensor> views;
    std::vector<Tensor> dense;
    for (const Tensor& input : rounded(inputs, dtype)) {
      views.push_back(laid_out(input, layout));
      dense.push_back(input.defined() ? views.back().clone() : input);
    }
    const std::vector<bool> wanted = wanted_of(test, inputs);
    const Outcome expected = evaluate(
        test, dense, wanted, [=](const Tensor& dy) { return laid_out(dy, layout).clone(); });
    const Outcome got =
        evaluate(test, views, wanted, [=](const Tensor& dy) { return laid_out(dy, layout); });
    std::string difference = compare(got.outputs, expected.outputs, tolerance, "output");
    if (difference.empty()) {
      difference = compare(got.gradients, expected.gradients, 16.0 * tolerance, "gradient");
    }
    if (difference.empty()) continue;
    const char* const names[] = {"scattered", "a repeated first axis", "a repeated last axis"};
    return with_name(test, dtype,
                     fmt::format("{}: {}", names[static_cast<size_t>(layout)], difference));
  }
  return {};
}

std::string check_memory(const OpCase& test, DType dtype) {
  const Outcome expected = evaluate(test, dtype);
  std::string difference;
  const GuardedMemory guarded;
  const int64_t before = CpuAllocator::instance().stats().guard_violations;
  {
    const Outcome got = evaluate(test, dtype);
    difference = find_nan(got.outputs, "output");
    if (difference.empty()) difference = find_nan(got.gradients, "gradient");
    if (difference.empty()) difference = compare_bits(got, expected);
  }
  const int64_t damaged = CpuAllocator::instance().stats().guard_violations - before;
  if (difference.empty() && damaged > 0) {
    difference = fmt::format("{} blocks were written outside of themselves", damaged);
  }
  return with_name(test, dtype, difference);
}

std::string check_repetition(const OpCase& test, DType dtype) {
  return with_name(test, dtype, compare_bits(evaluate(test, dtype), evaluate(test, dtype)));
}

std::string check_threads(const OpCase& test, DType dtype) {
  Outcome one;
  {
    const ThreadCount threads(1);
    one = evaluate(test, dtype);
  }
  for (const int count : {2, 3}) {
    const ThreadCount threads(count);
    const std::string difference = compare_bits(evaluate(test, dtype), one);
    if (!difference.empty()) {
      return with_name(test, dtype, fmt::format("{} threads against one: {}", count, difference));
    }
  }
  return {};
}

}  // namespace diagrad::testing
