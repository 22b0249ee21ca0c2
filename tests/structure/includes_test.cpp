#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/pattern.h"

namespace diagrad {
namespace {

namespace fs = std::filesystem;

/// Which folders a folder may include: the arrows of the architecture.
const std::map<std::string, std::set<std::string>>& allowed_includes() {
  static const std::map<std::string, std::set<std::string>> allowed{
      {"core", {"core"}},
      {"autograd", {"core", "autograd"}},
      {"ops", {"core", "autograd", "ops"}},
      {"nn", {"core", "autograd", "ops", "nn"}},
      {"models", {"core", "autograd", "ops", "nn", "models"}},
      {"data", {"core", "data"}},
      {"train", {"core", "autograd", "ops", "nn", "models", "data", "train"}},
  };
  return allowed;
}

std::vector<fs::path> sources_of(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(DIAGRAD_SOURCE_DIR) / folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Complaints about one file, given its lines: empty when it follows the rules.
std::vector<std::string> include_faults(const std::string& folder, bool is_header,
                                        const std::vector<std::string>& lines) {
  const std::string own = "^#include \"([^\"]*)\"";
  const std::string heavy =
      "^#include <(?!nlohmann/json_fwd)(Eigen|cuda|cublas|cudnn|nlohmann|CLI)[/_.].*";
  std::vector<std::string> faults;
  for (const std::string& line : lines) {
    if (is_header && testing::matches(line, heavy)) faults.push_back("heavy header: " + line);
    const auto found = testing::all_matches(line, own);
    if (found.empty()) continue;
    const std::string& path = found.front().at(1);
    const std::string prefix = "diagrad/";
    if (path.compare(0, prefix.size(), prefix) != 0) {
      faults.push_back("not spelled diagrad/...: " + line);
      continue;
    }
    const std::string target =
        path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size());
    if (allowed_includes().at(folder).count(target) == 0) {
      faults.push_back(fmt::format("{} may not include {}: {}", folder, target, line));
    }
  }
  if (is_header && std::find(lines.begin(), lines.end(), "#pragma once") == lines.end()) {
    faults.emplace_back("no #pragma once");
  }
  return faults;
}

TEST_CASE("includes follow the arrows core <- autograd <- ops <- nn <- models <- train") {
  size_t checked = 0;
  for (const auto& [folder, unused] : allowed_includes()) {
    for (const fs::path& file : sources_of(folder)) {
      const auto faults = include_faults(folder, file.extension() == ".h", lines_of(file));
      for (const std::string& fault : faults) FAIL_CHECK(file.string() << ": " << fault);
      ++checked;
    }
  }
  CHECK(checked > 50);
}

TEST_CASE("the include check sees wrong arrows, spellings and heavy headers") {
  const std::string once = "#pragma once";
  CHECK(include_faults("core", true, {once, "#include \"diagrad/core/tensor.h\""}).empty());
  CHECK(include_faults("core", true, {once, "#include \"diagrad/ops/relu.h\""}).size() == 1);
  CHECK(include_faults("data", false, {"#include \"diagrad/autograd/node.h\""}).size() == 1);
  CHECK(include_faults("nn", false, {"#include \"module.h\""}).size() == 1);
  CHECK(include_faults("nn", true, {once, "#include <Eigen/Core>"}).size() == 1);
  CHECK(include_faults("train", true, {once, "#include <nlohmann/json.hpp>"}).size() == 1);
  CHECK(include_faults("train", true, {once, "#include <nlohmann/json_fwd.hpp>"}).empty());
  CHECK(include_faults("nn", true, {}).size() == 1);
}

TEST_CASE("no source passes 500 lines and no text names a place of somebody's machine") {
  for (const auto& [folder, unused] : allowed_includes()) {
    for (const fs::path& file : sources_of(folder)) {
      const auto lines = lines_of(file);
      CHECK_MESSAGE(lines.size() <= 500, file.string() << " has " << lines.size() << " lines");
      for (const std::string& line : lines) {
        for (const char* place : {"/home/", "/Users/", "/root/", "/work/"}) {
          CHECK_MESSAGE(line.find(place) == std::string::npos, file.string() << ": " << line);
        }
      }
    }
  }
}

TEST_CASE("every folder says in a README what belongs there") {
  for (const auto& entry : allowed_includes()) {
    const std::string& folder = entry.first;
    CHECK_MESSAGE(fs::exists(fs::path(DIAGRAD_SOURCE_DIR) / folder / "README.md"), folder);
  }
}

}  // namespace
}  // namespace diagrad
