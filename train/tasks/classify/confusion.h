#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/train/tasks/blocks.h"

namespace diagrad::train {

/// Two classes that are confused, `first` taken for `second` at least as often as the reverse.
struct ConfusedPair {
  size_t first = 0;
  size_t second = 0;
  int64_t forth = 0;  ///< images of `first` taken for `second`
  int64_t back = 0;
  int64_t total() const { return forth + back; }
};

/// At most `most` pairs, the one with most errors first; equal ones in the order of their labels.
/// counts [K][K]: true class, predicted class.
std::vector<ConfusedPair> confused_pairs(const std::vector<std::vector<int64_t>>& counts,
                                         size_t most);

/// The pairs as a table: how often the first class was taken for the second, and the reverse.
Table pairs_block(const std::vector<std::vector<int64_t>>& counts,
                  const std::vector<std::string>& names);

}  // namespace diagrad::train
