// Every name in backquotes on docs/architecture.md exists. The rule, which also stands on the page:
// within one paragraph or list item, a name with a slash is a path from the root of the repository;
// every other name, split at ::, occurs as a whole word in one file that the same item names.
// Beside it: every source that the README of a folder names exists, there or from the root.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/pattern.h"

namespace diagrad {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Whether a line begins a list item: `- ` or `12. `.
bool begins_item(const std::string& line) {
  return testing::matches(line, "^(- |[0-9]+\\. ).*");
}

/// Paragraphs and list items.
std::vector<std::string> items_of(const std::string& page) {
  std::vector<std::string> items = {""};
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || begins_item(line)) items.emplace_back();
    items.back() += line + " ";
  }
  return items;
}

std::vector<std::string> quoted_names(const std::string& item) {
  std::vector<std::string> names;
  for (const auto& match : testing::all_matches(item, "`([^`]*)`")) names.push_back(match.at(1));
  return names;
}

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool has_word(const std::string& text, const std::string& word) {
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool begins = at == 0 || !is_word_character(text[at - 1]);
    if (begins && (end == text.size() || !is_word_character(text[end]))) return true;
  }
  return false;
}

/// `Loader::next` occurs in a text if both words do.
bool has_name(const std::string& text, const std::string& name) {
  size_t begin = 0;
  while (true) {
    const size_t end = name.find("::", begin);
    if (!has_word(text, name.substr(begin, end - begin))) return false;
    if (end == std::string::npos) return true;
    begin = end + 2;
  }
}

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos ||
         fs::is_directory(fs::path(DIAGRAD_SOURCE_DIR) / name);
}

/// Complaints about one item; `count` grows by the names in it.
std::vector<std::string> name_faults(const std::string& item, int& count) {
  const fs::path root(DIAGRAD_SOURCE_DIR);
  const std::vector<std::string> names = quoted_names(item);
  std::vector<std::string> faults;
  std::vector<std::string> texts;
  for (const std::string& name : names) {
    ++count;
    if (!is_path(name)) continue;
    if (!fs::exists(root / name)) {
      faults.push_back("no such file: " + name);
    } else if (fs::is_regular_file(root / name)) {
      texts.push_back(text_of(root / name));
    }
  }
  for (const std::string& name : names) {
    if (is_path(name)) continue;
    bool found = false;
    for (const std::string& text : texts) found = found || has_name(text, name);
    if (!found)
      faults.push_back(fmt::format("{} is in no file that this item names: {}", name, item));
  }
  return faults;
}

TEST_CASE("every name on the page about the architecture exists") {
  int count = 0;
  const std::string page = text_of(fs::path(DIAGRAD_SOURCE_DIR) / "docs/architecture.md");
  for (const std::string& item : items_of(page)) {
    for (const std::string& fault : name_faults(item, count)) FAIL_CHECK(fault);
  }
  CHECK(count > 120);
}

TEST_CASE("the check of the page sees wrong paths and names") {
  int count = 0;
  const auto faults = [&](const std::string& item) { return name_faults(item, count).size(); };
  CHECK(faults("1. `data/loader.cpp`: `Loader::next` and `work`, in `data`.") == 0);
  CHECK(count == 4);
  CHECK(faults("`data/loader.cc`") == 1);
  CHECK(faults("`data/loader.cpp`: `Loader::nxt`") == 1);
  CHECK(faults("`data/loader.cpp`: `Load`, a part of a word") == 1);
  CHECK(faults("`Loader`, without a file") == 1);
  CHECK(faults("`data`: `Loader`, with a folder alone") == 1);
  CHECK(faults("`data/loader.cpp`, `data/nothing.h`: `Loadr`, `Trainer`") == 3);
  // A name must be in a file of its own item.
  const auto items = items_of("- `data/loader.cpp`: `Loader`\n- `train/run/step.cpp`: `Loader`\n");
  REQUIRE(items.size() == 3);
  CHECK(faults(items[1]) == 0);
  CHECK(faults(items[2]) == 1);
}

/// The sources that a README in `folder` names and that do not exist.
std::vector<std::string> missing_sources(const std::string& text, const fs::path& folder,
                                         int& count) {
  const fs::path root(DIAGRAD_SOURCE_DIR);
  std::vector<std::string> missing;
  for (const std::string& name : quoted_names(text)) {
    if (!testing::matches(name, "[A-Za-z0-9_./]+\\.(h|cpp)")) continue;
    ++count;
    if (!fs::exists(folder / name) && !fs::exists(root / name)) missing.push_back(name);
  }
  return missing;
}

TEST_CASE("every source that a folder's README names exists") {
  int count = 0;
  for (const char* part : {"core", "autograd", "ops", "nn", "data", "models", "train"}) {
    const fs::path root = fs::path(DIAGRAD_SOURCE_DIR) / part;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.path().filename() != "README.md") continue;
      const fs::path folder = entry.path().parent_path();
      for (const std::string& name : missing_sources(text_of(entry.path()), folder, count)) {
        FAIL_CHECK(entry.path().string() << " names " << name);
      }
    }
  }
  CHECK(count > 100);
  const fs::path data = fs::path(DIAGRAD_SOURCE_DIR) / "data";
  CHECK(missing_sources("`loader.h`, `data/loader.h`, `loadr.h`, `<op>.h`", data, count) ==
        std::vector<std::string>{"loadr.h"});
}

}  // namespace
}  // namespace diagrad
