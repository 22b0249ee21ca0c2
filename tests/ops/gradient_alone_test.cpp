#include <doctest/doctest.h>

#include <cstring>

#include "diagrad/autograd/engine.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

bool is_differentiable(const OpCase& test, const std::vector<Tensor>& inputs, size_t i) {
  if (!inputs[i].defined()) return false;
  return test.differentiable.empty() ? inputs[i].dtype() == DType::f64 : test.differentiable[i];
}

/// Which inputs require gradients, and of which they are asked.
enum class Asked { all_of_all, one_of_all, one_of_one };

/// The gradients of a case, by input; undefined where none is asked for.
std::vector<Tensor> gradients_of(const OpCase& test, Asked asked, size_t chosen) {
  RandomStream random(1, stream_id("alone"));
  const std::vector<Tensor> inputs = test.inputs(random);
  std::vector<Tensor> leaves;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_differentiable(test, inputs, i)) continue;
    if (asked == Asked::one_of_one && i != chosen) continue;
    inputs[i].set_requires_grad(true);
    if (asked == Asked::one_of_all && i != chosen) continue;
    leaves.push_back(inputs[i]);
    places.push_back(i);
  }
  std::vector<Tensor> outputs = test.run(inputs);
  std::erase_if(outputs, [](const Tensor& output) { return output.dtype() != DType::f64; });
  std::vector<Tensor> vectors;
  for (const Tensor& output : outputs) {
    vectors.push_back(uniform(output.shape(), -1.0, 1.0, random, DType::f64));
  }
  const std::vector<Tensor> found = autograd::grad(outputs, leaves, vectors);
  std::vector<Tensor> gradients(inputs.size());
  for (size_t k = 0; k < places.size(); ++k) gradients[places[k]] = found[k];
  return gradients;
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (a.shape() != b.shape() || a.numel() == 0) return a.shape() == b.shape();
  return std::memcmp(a.contiguous().raw_data(), b.contiguous().raw_data(),
                     static_cast<size_t>(a.numel() * size_of(a.dtype()))) == 0;
}

TEST_CASE("an input that alone is asked for gets the gradient it gets among all, to the bit") {
  size_t checked = 0;
  for (const OpCase& test : op_cases()) {
    if (!test.has_gradient) continue;
    const std::vector<Tensor> all = gradients_of(test, Asked::all_of_all, 0);
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i].defined()) continue;
      INFO(test.op, ", ", test.variant, ", input ", i);
      CHECK(equal_bits(gradients_of(test, Asked::one_of_all, i)[i], all[i]));
      CHECK(equal_bits(gradients_of(test, Asked::one_of_one, i)[i], all[i]));
      ++checked;
    }
  }
  CHECK(checked > 500);
}

}  // namespace
}  // namespace diagrad::testing
