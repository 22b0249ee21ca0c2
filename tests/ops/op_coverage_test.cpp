#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "diagrad/autograd/observer.h"
#include "tests/support/op_case.h"

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
  static const std::regex declaration(
      "(^|\n)(inline )?(Tensor|LstmState|std::vector<Tensor>) ([a-z]\\w*)\\(");
  std::set<std::string> names;
  for (std::sregex_iterator i(header.begin(), header.end(), declaration), end; i != end; ++i) {
    names.insert((*i)[4]);
  }
  return names;
}

/// Headers that are no contract of an operation: kernels, formulas, what operations share,
/// and in-place changes, which have no derivative.
bool is_inner(const std::string& stem) {
  return stem.ends_with("_kernels") || stem.ends_with("_math") || stem == "convolution" ||
         stem == "batch_norm_source" || stem == "inplace";
}

bool mentions(const std::string& text, const std::string& name) {
  return std::regex_search(text, std::regex("\\b" + name + "\\b"));
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
  std::string cases;
  for (const auto& entry : fs::directory_iterator(DIAGRAD_SOURCE_DIR "/tests/ops")) {
    if (entry.path().stem().string().ends_with("_case")) cases += text_of(entry.path());
  }
  const auto declared = declared_operations();
  CHECK(declared.size() >= 65);
  for (const auto& entry : declared) {
    const bool found = mentions(cases, entry.first);
    CHECK_MESSAGE(found,
                  entry.first << " of ops/" << entry.second << " is in no tests/ops/*_case.cpp");
  }
}

TEST_CASE("every case is called after an operation that it runs") {
  const auto declared = declared_operations();
  for (const OpCase& test : op_cases()) {
    if (!test.has_gradient) continue;
    RandomStream random(1, 1);
    Names names;
    {
      const autograd::ObserverScope scope(names);
      test.run(test.inputs(random));
    }
    CHECK_MESSAGE(!names.seen.empty(), test.op << ", " << test.variant << " records nothing");
    // What is composed of others records their names and not its own.
    const bool right = names.seen.count(test.op) == 1 || declared.count(test.op) == 1;
    CHECK_MESSAGE(right, test.op << ", " << test.variant << " records no operation of that name");
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
