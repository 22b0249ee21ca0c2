#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "diagrad/autograd/observer.h"
#include "tests/support/op_case.h"
#include "tests/support/pattern.h"

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// The functions of a header that give tensors: operations, by the shape of their declaration.
std::set<std::string> operations_in(const std::string& header) {
  const std::string declaration =
      "(^|\n)(inline )?(Tensor|LstmState|std::vector<Tensor>) ([a-z]\\w*)\\(";
  std::set<std::string> names;
  for (const auto& match : all_matches(header, declaration)) names.insert(match.at(4));
  return names;
}

/// Headers that are no contract of an operation: kernels, formulas, what operations share,
/// and in-place changes, which have no derivative.
bool is_inner(const std::string& stem) {
  return stem.ends_with("_kernels") || stem.ends_with("_math") || stem == "convolution" ||
         stem == "conv_bn_input" || stem == "inplace";
}

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

/// Every operation by name, with the header that declares it.
std::map<std::string, std::string> declared_operations() {
  std::map<std::string, std::string> declared;
  for (const auto& entry : fs::directory_iterator(DIAGRAD_SOURCE_DIR "/ops")) {
    if (entry.path().extension() != ".h" || is_inner(entry.path().stem().string())) continue;
    for (const std::string& name : operations_in(text_of(entry.path()))) {
      declared.emplace(name, entry.path().filename().string());
    }
  }
  return declared;
}

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
