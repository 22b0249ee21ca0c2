#include "tests/support/op_case.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "diagrad/core/tensor.h"

namespace diagrad::testing {
namespace {

/// Filled while static objects are made, in an order nobody should rely on.
std::vector<OpCase>& registry() {
  static std::vector<OpCase> cases;
  return cases;
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> sorted = [] {
    std::vector<OpCase> cases = registry();
    std::stable_sort(cases.begin(), cases.end(), [](const OpCase& a, const OpCase& b) {
      return std::tie(a.op, a.variant) < std::tie(b.op, b.variant);
    });
    return cases;
  }();
  return sorted;
}

OpCaseRegistration::OpCaseRegistration(std::initializer_list<OpCase> cases) {
  registry().insert(registry().end(), cases.begin(), cases.end());
}

Tensor random_input(RandomStream& random, const Shape& shape, double low, double high) {
  return uniform(shape, low, high, random, DType::f64);
}

Tensor random_away_from_zero(RandomStream& random, const Shape& shape, double gap) {
  const Tensor values = random_input(random, shape);
  double* data = values.data<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    data[i] = std::copysign(gap + (1.0 - gap) * std::abs(data[i]), data[i]);
  }
  return values;
}

Tensor random_labels(RandomStream& random, const Shape& shape, int64_t classes) {
  const Tensor labels = Tensor::empty(shape, DType::i64);
  for (int64_t i = 0; i < labels.numel(); ++i) labels.data<int64_t>()[i] = random.below(classes);
  return labels;
}

}  // namespace diagrad::testing
