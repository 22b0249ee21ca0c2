#include "tests/nn/module_case.h"

#include <algorithm>
#include <tuple>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// Filled while static objects are made, in an order nobody should rely on.
std::vector<ModuleCase>& registry() {
  static std::vector<ModuleCase> cases;
  return cases;
}

}  // namespace

const std::vector<ModuleCase>& module_cases() {
  static const std::vector<ModuleCase> sorted = [] {
    std::vector<ModuleCase> cases = registry();
    std::stable_sort(cases.begin(), cases.end(), [](const ModuleCase& a, const ModuleCase& b) {
      return std::tie(a.module, a.variant) < std::tie(b.module, b.variant);
    });
    return cases;
  }();
  return sorted;
}

ModuleCaseRegistration::ModuleCaseRegistration(std::initializer_list<ModuleCase> cases) {
  registry().insert(registry().end(), cases.begin(), cases.end());
}

std::function<Tensor(RandomStream&)> values(const Shape& shape) {
  return [shape](RandomStream& random) { return random_away_from_zero(random, shape); };
}

}  // namespace diagrad::testing
