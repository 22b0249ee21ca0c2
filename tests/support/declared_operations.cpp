#include "tests/support/declared_operations.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/pattern.h"

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Headers that are no contract of an operation: kernels, formulas, what operations share,
/// and in-place changes, which have no derivative.
bool is_inner(const std::string& stem) {
  return stem.ends_with("_kernels") || stem.ends_with("_math") || stem.ends_with("_parts") ||
         stem == "convolution" || stem == "conv_bn_input" || stem == "inplace";
}

}  // namespace

std::set<std::string> operations_in(const std::string& header) {
  const std::string declaration =
      "(^|\n)(inline )?(Tensor|LstmState|std::vector<Tensor>) ([a-z]\\w*)\\(";
  std::set<std::string> names;
  for (const auto& match : all_matches(header, declaration)) names.insert(match.at(4));
  return names;
}

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

}  // namespace diagrad::testing
