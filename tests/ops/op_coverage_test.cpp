#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "diagrad/autograd/observer.h"
#include "tests/support/declared_operations.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// Functions that only call one operation. Its cases cover them, those whose variant begins with
/// the function's name.
const std::map<std::string, std::string> kForms = {
    {"chunk", "slice"},  {"flatten", "reshape"},   {"squeeze", "reshape"},
    {"stack", "concat"}, {"transpose", "permute"}, {"unsqueeze", "reshape"},
};

bool has_case(const std::string& name) {
  const auto form = kForms.find(name);
  return std::any_of(op_cases().begin(), op_cases().end(), [&](const OpCase& test) {
    if (form == kForms.end()) return test.op == name;
    return test.op == form->second && test.variant.starts_with(name + " ");
  });
}

class Names : public autograd::OpObserver {
 public:
  void on_forward(const autograd::OpInfo& op, std::span<const Tensor> /*inputs*/,
                  std::span<const Tensor> /*outputs*/) override {
    seen.insert(std::string(op.name));
  }
  std::set<std::string> seen;
};

TEST_CASE("every operation of ops has a case") {
  const auto declared = declared_operations();
  CHECK(declared.size() >= 65);
  for (const auto& entry : declared) {
    const std::string& name = entry.first;
    CHECK_MESSAGE(has_case(name),
                  name << " of ops/" << entry.second << " is in no tests/ops/*_case.cpp");
  }
  for (const auto& form : kForms) CHECK_MESSAGE(declared.count(form.first) == 1, form.first);
}

TEST_CASE("every case is called after an operation that it runs") {
  for (const OpCase& test : op_cases()) {
    if (!test.has_gradient) continue;
    RandomStream random(1, 1);
    Names names;
    {
      const autograd::ObserverScope scope(names);
      test.run(test.inputs(random));
    }
    CHECK_MESSAGE(!names.seen.empty(), test.op << ", " << test.variant << " records nothing");
    CHECK_MESSAGE(names.seen.count(test.op) == 1,
                  test.op << ", " << test.variant << " records no operation of that name");
  }
}

TEST_CASE("the search for operations sees declarations, not comments or calls") {
  using Set = std::set<std::string>;
  CHECK(operations_in("Tensor relu(const Tensor& x);\n/// Tensor no(x)\n  Tensor y(x);\n") ==
        Set{"relu"});
  CHECK(operations_in("\nstd::vector<Tensor> chunk(...);\ninline Tensor neg(...)") ==
        Set{"chunk", "neg"});
}

}  // namespace
}  // namespace diagrad::testing
