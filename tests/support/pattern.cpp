#include "tests/support/pattern.h"

#include <map>
#include <regex>

namespace diagrad::testing {
namespace {

/// Each pattern is compiled once.
const std::regex& compiled(const std::string& pattern) {
  static std::map<std::string, std::regex> all;
  const auto found = all.find(pattern);
  return found != all.end() ? found->second : all.emplace(pattern, pattern).first->second;
}

}  // namespace

bool matches(const std::string& text, const std::string& pattern) {
  return std::regex_match(text, compiled(pattern));
}

bool contains_match(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, compiled(pattern));
}

std::vector<std::vector<std::string>> all_matches(const std::string& text,
                                                  const std::string& pattern) {
  std::vector<std::vector<std::string>> all;
  for (std::sregex_iterator match(text.begin(), text.end(), compiled(pattern)), end; match != end;
       ++match) {
    auto& groups = all.emplace_back();
    for (size_t i = 0; i < match->size(); ++i) groups.push_back((*match)[i]);
  }
  return all;
}

}  // namespace diagrad::testing
