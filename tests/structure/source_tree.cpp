#include "tests/structure/source_tree.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace diagrad::testing {

namespace fs = std::filesystem;

Sources library_sources() {
  const fs::path root(DIAGRAD_SOURCE_DIR);
  Sources sources;
  for (const char* folder : {"core", "autograd", "ops", "nn", "data", "models", "train"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const fs::path extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream stream(entry.path());
      sources[entry.path().lexically_relative(root).generic_string()] =
          std::string(std::istreambuf_iterator<char>(stream), {});
    }
  }
  return sources;
}

std::vector<Include> includes_of(const Sources& sources) {
  constexpr std::string_view kStart = "#include \"diagrad/";
  std::vector<Include> includes;
  for (const auto& [path, text] : sources) {
    std::istringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (!line.starts_with(kStart)) continue;
      const size_t end = line.find('"', kStart.size());
      includes.push_back({path, number, line.substr(kStart.size(), end - kStart.size())});
    }
  }
  return includes;
}

std::string folder_of(const std::string& path) {
  return fs::path(path).parent_path().generic_string();
}

std::string text_of(const std::vector<Include>& path) {
  std::string text;
  for (const Include& include : path) {
    text += fmt::format("\n  {}:{} includes {}", include.file, include.line, include.target);
  }
  return text;
}

}  // namespace diagrad::testing
