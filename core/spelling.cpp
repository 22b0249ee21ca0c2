#include "diagrad/core/spelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace diagrad {
namespace {

/// The number of edits between two words (letters left out, added, replaced, neighbours swapped).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::vector<size_t> next(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      next[j] = std::min({replaced, row[j] + 1, next[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        next[j] = std::min(next[j], before[j - 2] + 1);
      }
    }
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

/// Too short a word begins too many others.
bool is_beginning(std::string_view word, std::string_view candidate) {
  const size_t letters = word.size() - std::min(word.find_first_not_of('-'), word.size());
  return letters >= 2 && candidate.substr(0, word.size()) == word;
}

}  // namespace

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t edits = distance(word.substr(0, 100), candidate);
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  if (!best.empty()) return best;
  for (const std::string& candidate : candidates) {
    const bool shorter = best.empty() || candidate.size() < best.size();
    if (shorter && is_beginning(word, candidate)) best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = closest(word, candidates);
  return near.empty() ? "" : fmt::format(", did you mean '{}'?", near);
}

}  // namespace diagrad
