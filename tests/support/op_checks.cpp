#include "tests/support/op_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
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
  if (!test.has_gradient || test.empty || !inputs[i].defined()) return false;
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

double tolerance_of(const OpCase& test, DType dtype) {
  const double epsilon = dtype == DType::f64 ? std::numeric_limits<double>::epsilon()
                                             : std::numeric_limits<float>::epsilon();
  return epsilon * 8.0 * (4.0 + std::sqrt(static_cast<double>(test.reduction_length)));
}

/// What differs between two lists of tensors by more than `tolerance` times the largest expected
/// value; empty when nothing does.
std::string compare(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                    double tolerance, const char* what) {
  if (got.size() != expected.size()) {
    return fmt::format("{} {}s, expected {}", got.size(), what, expected.size());
  }
  for (size_t k = 0; k < got.size(); ++k) {
    if (got[k].defined() != expected[k].defined()) {
      return fmt::format("{} {} is {}defined", what, k, got[k].defined() ? "" : "un");
    }
    if (!got[k].defined()) continue;
    if (got[k].shape() != expected[k].shape()) {
      return fmt::format("{} {} has shape {}, expected {}", what, k, got[k].shape(),
                         expected[k].shape());
    }
    const Tensor a = got[k].contiguous();
    const Tensor b = expected[k].contiguous();
    const double allowed = tolerance * largest(b);
    for (int64_t i = 0; i < a.numel(); ++i) {
      const double x = element(a, i);
      const double y = element(b, i);
      const bool same = x == y || (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= allowed;
      if (!same) {
        return fmt::format("{} {} {}, element {}: got {:.12g}, expected {:.12g}, allowed {:.3g}",
                           what, k, b.shape(), i, x, y, allowed);
      }
    }
  }
  return {};
}

struct Outcome {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;
};

/// Runs the operation and, where it has one, its derivative for fixed output gradients.
Outcome evaluate(const OpCase& test, const std::vector<Tensor>& inputs,
                 const std::vector<bool>& wanted) {
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
    vectors.push_back(uniform(output.shape(), -1.0, 1.0, random, output.dtype()));
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

/// The first NaN of `tensors` where `expected` has none.
std::string find_nan(const std::vector<Tensor>& tensors, const std::vector<Tensor>& expected,
                     const char* what) {
  for (size_t k = 0; k < tensors.size(); ++k) {
    if (!tensors[k].defined() || !is_floating(tensors[k].dtype())) continue;
    const Tensor values = tensors[k].contiguous();
    const Tensor other = k < expected.size() ? expected[k].contiguous() : Tensor();
    for (int64_t i = 0; i < values.numel(); ++i) {
      if (!std::isnan(element(values, i))) continue;
      if (other.defined() && std::isnan(element(other, i))) continue;
      return fmt::format("{} {} {}, element {} is NaN: it was never written", what, k,
                         values.shape(), i);
    }
  }
  return {};
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
  if (!test.has_gradient || test.empty) return {};
  const std::vector<Tensor> inputs = inputs_of(test);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (takes_gradient(test, inputs, i)) inputs[i].set_requires_grad(true);
  }
  const autograd::GradcheckResult result = autograd::gradcheck(test.run, inputs);
  return with_name(test, DType::f64, result.message);
}

std::string check_strided(const OpCase& test) {
  const std::vector<Tensor> inputs = inputs_of(test);
  const std::vector<bool> wanted = wanted_of(test, inputs);
  std::vector<Tensor> views;
  for (const Tensor& input : inputs) {
    views.push_back(input.defined() && input.rank() > 0 ? scattered(input) : input);
  }
  const Outcome expected = evaluate(test, inputs_of(test), wanted);
  const Outcome got = evaluate(test, views, wanted);
  const double tolerance = tolerance_of(test, DType::f64);
  std::string difference = compare(got.outputs, expected.outputs, tolerance, "output");
  if (difference.empty()) {
    difference = compare(got.gradients, expected.gradients, 16.0 * tolerance, "gradient");
  }
  return with_name(test, DType::f64, difference);
}

std::string check_memory(const OpCase& test, DType dtype) {
  const Outcome expected = evaluate(test, dtype);
  std::string difference;
  const GuardedMemory guarded;
  const int64_t before = CpuAllocator::instance().stats().guard_violations;
  {
    const Outcome got = evaluate(test, dtype);
    difference = find_nan(got.outputs, expected.outputs, "output");
    if (difference.empty()) difference = find_nan(got.gradients, expected.gradients, "gradient");
    if (difference.empty()) difference = compare_bits(got, expected);
  }
  const int64_t damaged = CpuAllocator::instance().stats().guard_violations - before;
  if (difference.empty() && damaged > 0) {
    difference = fmt::format("{} blocks were written beyond their ends", damaged);
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
