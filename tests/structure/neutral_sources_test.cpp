#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/structure/source_tree.h"

// Device-neutral sources leave elements to kernels.

namespace diagrad::testing {
namespace {

/// Sources that know no device: operations, modules, models and training.
bool is_neutral(const std::string& path) {
  return folder_of(path) == "ops" || path.starts_with("nn/") || path.starts_with("models/") ||
         path.starts_with("train/");
}

bool is_of_cpu(const std::string& path) {
  return path == "core/parallel.h" || path == "core/elementwise.h" || path.starts_with("ops/cpu/");
}

/// For each neutral source that reaches a header of the CPU, the shortest path of includes.
std::vector<std::vector<Include>> paths_to_cpu(const Sources& sources) {
  std::map<std::string, std::vector<Include>> by_file;
  for (Include& include : includes_of(sources)) by_file[include.file].push_back(include);
  std::vector<std::vector<Include>> found;
  for (const auto& source : sources) {
    if (!is_neutral(source.first)) continue;
    std::map<std::string, Include> reached;  // by header, the include that reached it first
    std::deque<std::string> waiting{source.first};
    while (!waiting.empty()) {
      const std::string file = waiting.front();
      waiting.pop_front();
      if (is_of_cpu(file)) {
        std::vector<Include> path;
        for (std::string at = file; at != source.first; at = path.back().file) {
          path.push_back(reached.at(at));
        }
        std::reverse(path.begin(), path.end());
        found.push_back(path);
        break;
      }
      for (const Include& include : by_file[file]) {
        if (reached.emplace(include.target, include).second) waiting.push_back(include.target);
      }
    }
  }
  return found;
}

TEST_CASE("neutral sources reach neither parallel loops nor headers of the CPU's kernels") {
  const Sources sources = library_sources();
  CHECK(std::count_if(sources.begin(), sources.end(),
                      [](const auto& source) { return is_neutral(source.first); }) > 100);
  for (const auto& path : paths_to_cpu(sources)) FAIL_CHECK(text_of(path));
}

TEST_CASE("operations read and write elements in kernels only") {
  for (const auto& source : library_sources()) {
    if (folder_of(source.first) != "ops") continue;
    CHECK_MESSAGE(source.second.find("data<") == std::string::npos,
                  source.first << " takes the elements of a tensor; its loop belongs in ops/cpu");
  }
}

TEST_CASE("the search for headers of the CPU names the whole path of includes") {
  Sources sources{
      {"core/parallel.h", ""},
      {"core/tensor.cpp", "#include \"diagrad/core/parallel.h\"\n"},
      {"ops/cpu/lines.h", "#include \"diagrad/core/parallel.h\"\n"},
      {"ops/cpu/relu.cpp", "#include \"diagrad/ops/cpu/lines.h\"\n"},
      {"ops/relu.h", "#pragma once\n"},
      {"nn/relu.h", "#include \"diagrad/ops/relu.h\"\n"},
      {"nn/net.cpp", "#include <vector>\n\n#include \"diagrad/nn/relu.h\"\n"},
      {"train/run/step.cpp", "#include \"diagrad/core/threads.h\"\n"},
  };
  CHECK(paths_to_cpu(sources).empty());

  sources["ops/relu.h"] = "#pragma once\n#include \"diagrad/ops/cpu/lines.h\"\n";
  const auto paths = paths_to_cpu(sources);
  REQUIRE(paths.size() == 3);  // net.cpp, nn/relu.h and ops/relu.h
  CHECK(text_of(paths[0]) ==
        "\n  nn/net.cpp:3 includes nn/relu.h"
        "\n  nn/relu.h:1 includes ops/relu.h"
        "\n  ops/relu.h:2 includes ops/cpu/lines.h");

  sources["ops/relu.h"] = "#pragma once\n";
  sources["train/run/step.cpp"] = "#include \"diagrad/core/parallel.h\"\n";
  REQUIRE(paths_to_cpu(sources).size() == 1);
  CHECK(text_of(paths_to_cpu(sources)[0]) == "\n  train/run/step.cpp:1 includes core/parallel.h");
}

}  // namespace
}  // namespace diagrad::testing
