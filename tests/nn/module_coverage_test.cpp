#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/nn/module_case.h"
#include "tests/support/pattern.h"

namespace diagrad::testing {
namespace {

/// The classes of a header that derive from another one.
std::set<std::string> derived_classes(const std::string& header) {
  const std::string declaration = "(^|\n)(class|struct) (\\w+)( final)?\\s*:\\s*public ";
  std::set<std::string> names;
  for (const auto& match : all_matches(header, declaration)) names.insert(match.at(3));
  return names;
}

std::set<std::string> layers_of_nn() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(DIAGRAD_SOURCE_DIR "/nn")) {
    if (entry.path().extension() != ".h") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    names.merge(derived_classes(text.str()));
  }
  return names;
}

TEST_CASE("every layer of nn has a module case, and every case is of a layer of nn") {
  std::set<std::string> with_case;
  for (const ModuleCase& test : module_cases()) with_case.insert(test.module);
  const std::set<std::string> layers = layers_of_nn();
  CHECK(layers.size() >= 19);
  for (const std::string& name : layers) {
    CHECK_MESSAGE(with_case.count(name) == 1,
                  name << " has no ModuleCase; add one in tests/nn/<layer>_case.cpp");
  }
  for (const std::string& name : with_case) {
    CHECK_MESSAGE(layers.count(name) == 1, name << " has cases but is no layer in nn/*.h");
  }
}

TEST_CASE("the search for layers sees classes, and not those of comments") {
  using Names = std::set<std::string>;
  CHECK(derived_classes("class A : public Module {};") == Names{"A"});
  CHECK(derived_classes("x\nclass B final : public A {\n};\nstruct C\n    : public Module {};\n") ==
        Names{"B", "C"});
  CHECK(derived_classes("///     class Block : public Module {\nclass Module {};\n").empty());
}

}  // namespace
}  // namespace diagrad::testing
