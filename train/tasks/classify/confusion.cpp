#include "diagrad/train/tasks/classify/confusion.h"

#include <fmt/format.h>

#include <algorithm>

namespace diagrad::train {

std::vector<ConfusedPair> confused_pairs(const std::vector<std::vector<int64_t>>& counts,
                                         size_t most) {
  std::vector<ConfusedPair> pairs;
  for (size_t a = 0; a < counts.size(); ++a) {
    for (size_t b = a + 1; b < counts.size(); ++b) {
      const int64_t forth = counts[a][b];
      const int64_t back = counts[b][a];
      if (forth + back == 0) continue;
      pairs.push_back(forth >= back ? ConfusedPair{a, b, forth, back}
                                    : ConfusedPair{b, a, back, forth});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const ConfusedPair& a, const ConfusedPair& b) {
    return a.total() > b.total();
  });
  pairs.resize(std::min(pairs.size(), most));
  return pairs;
}

Table pairs_block(const std::vector<std::vector<int64_t>>& counts,
                  const std::vector<std::string>& names) {
  constexpr size_t kPairs = 8;
  Table table{.title = "Most often confused", .row_heading = "class, predicted as"};
  Column forth{.name = "images"};
  Column back{.name = "the reverse"};
  for (const ConfusedPair& pair : confused_pairs(counts, kPairs)) {
    table.row_names.push_back(fmt::format("{}, {}", names[pair.first], names[pair.second]));
    forth.values.push_back(static_cast<double>(pair.forth));
    back.values.push_back(static_cast<double>(pair.back));
  }
  if (table.row_names.empty()) table.note = "No image was taken for another class.";
  table.columns = {std::move(forth), std::move(back)};
  return table;
}

}  // namespace diagrad::train
