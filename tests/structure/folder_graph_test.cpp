#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/structure/source_tree.h"

// Folders as a graph: a folder with sources is a node (its own files, not those of folders beneath
// it), an include of another folder's header is an edge.

namespace diagrad::testing {
namespace {

/// From one folder to another.
using Edge = std::pair<std::string, std::string>;

/// Each edge with the first include that makes it.
std::map<Edge, Include> folder_edges(const Sources& sources) {
  std::map<Edge, Include> edges;
  for (Include& include : includes_of(sources)) {
    const Edge edge{folder_of(include.file), folder_of(include.target)};
    if (edge.first != edge.second) edges.emplace(edge, include);
  }
  return edges;
}

/// A depth-first search for circles.
class CircleSearch {
 public:
  explicit CircleSearch(const std::map<Edge, Include>& edges) : edges_(edges) {}

  /// The includes that make a circle, one for each edge; none where there is no circle.
  std::vector<Include> run() {
    for (const auto& entry : edges_) {
      const std::vector<Include> circle = visit(entry.first.first);
      if (!circle.empty()) return circle;
    }
    return {};
  }

 private:
  std::vector<Include> visit(const std::string& folder) {
    if (finished_.count(folder) == 1) return {};
    const auto start = std::find(folders_.begin(), folders_.end(), folder);
    if (start != folders_.end()) return {path_.begin() + (start - folders_.begin()), path_.end()};
    folders_.push_back(folder);
    for (auto next = edges_.lower_bound({folder, ""});
         next != edges_.end() && next->first.first == folder; ++next) {
      path_.push_back(next->second);
      const std::vector<Include> circle = visit(next->first.second);
      if (!circle.empty()) return circle;
      path_.pop_back();
    }
    folders_.pop_back();
    finished_.insert(folder);
    return {};
  }

  const std::map<Edge, Include>& edges_;
  std::vector<std::string> folders_;  ///< from the start of the search to the current one
  std::vector<Include> path_;         ///< between them
  std::set<std::string> finished_;    ///< no circle goes through these
};

std::vector<Include> circle_of(const std::map<Edge, Include>& edges) {
  return CircleSearch(edges).run();
}

TEST_CASE("the graph of folders has no circle") {
  const std::map<Edge, Include> edges = folder_edges(library_sources());
  CHECK(edges.size() > 20);
  const std::vector<Include> circle = circle_of(edges);
  CHECK_MESSAGE(circle.empty(), text_of(circle));
}

TEST_CASE("the search for circles finds a planted one and names an include for each edge") {
  Sources sources{
      {"core/tensor.h", "#include \"diagrad/core/shape.h\"\n"},
      {"ops/relu.cpp", "#include \"diagrad/core/tensor.h\"\n#include \"diagrad/ops/relu.h\"\n"},
      {"ops/cpu/relu.cpp", "#include \"diagrad/ops/relu.h\"\n#include \"diagrad/core/tensor.h\"\n"},
      {"nn/relu.cpp", "#include \"diagrad/ops/relu.h\"\n"},
  };
  CHECK(circle_of(folder_edges(sources)).empty());

  sources["ops/relu.h"] = "#pragma once\n#include \"diagrad/ops/cpu/relu.h\"\n";
  CHECK(text_of(circle_of(folder_edges(sources))) ==
        "\n  ops/relu.h:2 includes ops/cpu/relu.h"
        "\n  ops/cpu/relu.cpp:1 includes ops/relu.h");

  sources["ops/relu.h"] = "#pragma once\n";
  sources["core/tensor.h"] = "#include \"diagrad/nn/relu.h\"\n";
  CHECK(text_of(circle_of(folder_edges(sources))) ==
        "\n  core/tensor.h:1 includes nn/relu.h"
        "\n  nn/relu.cpp:1 includes ops/relu.h"
        "\n  ops/relu.cpp:1 includes core/tensor.h");
}

constexpr double kTrainShare = 0.30;        // of the library's lines, train/ without train/tasks
constexpr double kTrainFolderShare = 0.11;  // each folder of train/, train/tasks apart

TEST_CASE("training is a small part of the library") {
  double total = 0.0;
  double train = 0.0;
  std::map<std::string, double> folders;
  for (const auto& [path, text] : library_sources()) {
    const auto lines = static_cast<double>(std::count(text.begin(), text.end(), '\n'));
    total += lines;
    if (!path.starts_with("train/") || path.starts_with("train/tasks/")) continue;
    train += lines;
    folders[path.substr(0, path.find('/', 6))] += lines;
  }
  MESSAGE("train without train/tasks has " << 100.0 * train / total << " % of " << total
                                           << " lines");
  CHECK(train <= kTrainShare * total);
  for (const auto& folder : folders) {
    MESSAGE(folder.first << " has " << 100.0 * folder.second / total << " %");
    CHECK_MESSAGE(folder.second <= kTrainFolderShare * total, folder.first);
  }
}

}  // namespace
}  // namespace diagrad::testing
