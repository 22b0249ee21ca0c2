#include "diagrad/nn/parameter_pattern.h"

#include <algorithm>
#include <string_view>

namespace diagrad::nn {
namespace {

/// Whether `text` fits a pattern where * stands for any characters and ? for one. After a mismatch
/// the last * takes one character more: no recursion, at most |pattern| * |text| steps.
bool fits(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(),
                     [](char c) { return c == '*'; });
}

}  // namespace

bool fits_pattern(const std::string& entry, const NamedTensor& parameter) {
  return entry == "1d" ? parameter.tensor.rank() <= 1 : fits(entry, parameter.name);
}

}  // namespace diagrad::nn
