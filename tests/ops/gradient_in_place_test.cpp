#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/record.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// A copy whose derivative makes a copy, too, so that nobody else holds the gradient it hands on.
Tensor handed_on(const Tensor& x) {
  return autograd::record({"handed_on"}, {x}, x.clone(),
                          [](const autograd::BackwardContext& context) {
                            return autograd::Gradients{context.gradient().clone()};
                          });
}

/// How gradients meet the operation: held by others, so that it may change none of them; its own,
/// to be written over; and, besides, another gradient has come to each input before.
enum class Meeting { held, owned, added };

struct Gradients {
  std::vector<Tensor> of_inputs;
  std::vector<Tensor> added;  ///< what came to each input before
};

bool is_differentiable(const OpCase& test, const std::vector<Tensor>& inputs, size_t i) {
  if (!inputs[i].defined()) return false;
  return test.differentiable.empty() ? inputs[i].dtype() == DType::f64 : test.differentiable[i];
}

Gradients gradients_of(const OpCase& test, DType dtype, Meeting meeting) {
  RandomStream random(1, stream_id("in place"));
  std::vector<Tensor> inputs = test.inputs(random);
  std::vector<Tensor> leaves;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool differentiable = is_differentiable(test, inputs, i);
    if (inputs[i].defined() && inputs[i].dtype() == DType::f64) inputs[i] = inputs[i].to(dtype);
    if (!differentiable) continue;
    leaves.push_back(inputs[i]);
    leaves.back().set_requires_grad(true);
    inputs[i] = handed_on(inputs[i]);
    places.push_back(i);
  }
  std::vector<Tensor> outputs = test.run(inputs);
  std::erase_if(outputs, [](const Tensor& output) { return !output.requires_grad(); });
  std::vector<Tensor> vectors;
  for (Tensor& output : outputs) {
    vectors.push_back(uniform(output.shape(), -1.0, 1.0, random, output.dtype()));
    if (meeting != Meeting::held) output = handed_on(output);
  }
  Gradients result;
  for (const size_t place : places) {
    if (meeting != Meeting::added) break;
    // Made after the operation, so its gradient arrives before.
    outputs.push_back(handed_on(inputs[place]));
    vectors.push_back(uniform(outputs.back().shape(), -1.0, 1.0, random, dtype));
    result.added.push_back(vectors.back());
  }
  result.of_inputs = autograd::grad(outputs, leaves, vectors);
  return result;
}

std::vector<double> values_of(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::f64).contiguous();
  return {wide.data<double>(), wide.data<double>() + wide.numel()};
}

/// Of got - (wanted + added), relative to the largest value.
double difference(const Tensor& got, const Tensor& wanted, const Tensor& added) {
  const std::vector<double> left = values_of(got);
  std::vector<double> right = values_of(wanted);
  double largest = 1.0;
  double distance = 0.0;
  const std::vector<double> more =
      added.defined() ? values_of(added) : std::vector<double>(right.size(), 0.0);
  for (size_t i = 0; i < right.size(); ++i) {
    largest = std::max(largest, std::abs(right[i]));
    distance = std::max(distance, std::abs(left[i] - (right[i] + more[i])));
  }
  return distance / largest;
}

TEST_CASE("a gradient that is written over or added to is the one that new memory would hold") {
  size_t checked = 0;
  for (const OpCase& test : op_cases()) {
    if (!test.has_gradient) continue;
    for (const DType dtype : {DType::f64, DType::f32}) {
      const double rounding = dtype == DType::f64 ? 1e-15 : 5e-7;
      const double tolerance =
          rounding * 8 * (4 + std::sqrt(static_cast<double>(test.reduction_length)));
      const Gradients held = gradients_of(test, dtype, Meeting::held);
      const Gradients owned = gradients_of(test, dtype, Meeting::owned);
      const Gradients added = gradients_of(test, dtype, Meeting::added);
      for (size_t i = 0; i < held.of_inputs.size(); ++i) {
        INFO(test.op, ", ", test.variant, ", input ", i, ", ", std::string(name(dtype)));
        const Tensor& alone = held.of_inputs[i];
        REQUIRE(alone.defined() == owned.of_inputs[i].defined());
        if (!alone.defined()) continue;
        CHECK(difference(owned.of_inputs[i], alone, {}) == 0.0);
        CHECK(difference(added.of_inputs[i], alone, added.added[i]) <= tolerance);
        ++checked;
      }
    }
  }
  CHECK(checked > 500);
}

}  // namespace
}  // namespace diagrad::testing
