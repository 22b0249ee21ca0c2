#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace diagrad::train {

using ConfusionCounts = std::vector<std::vector<int64_t>>;  ///< [K][K]: true class, what was said

/// The name of a class; "output 7" for an output that no class has.
std::string class_name(const std::vector<std::string>& classes, size_t label);

/// Two classes that are mixed up, `first` taken for `second` at least as often as the reverse.
struct ConfusedPair {
  size_t first = 0;
  size_t second = 0;
  int64_t forth = 0;  ///< images of `first` taken for `second`
  int64_t back = 0;
  int64_t total() const { return forth + back; }
};

/// At most `most` pairs, the one with most mistakes first; equal ones in the order of their labels.
std::vector<ConfusedPair> confused_pairs(const ConfusionCounts& counts, size_t most);

/// The share of each class's images that was recognised; NaN for a class without images.
std::vector<double> class_accuracies(const ConfusionCounts& counts);

/// A <figure> with the counts, rows shaded by their shares. With many classes the numbers, and
/// with more the names, are only in the tooltips.
std::string matrix_html(const ConfusionCounts& counts, const std::vector<std::string>& classes);

/// A list of the pairs in words.
std::string pairs_html(const ConfusionCounts& counts, const std::vector<std::string>& classes);

/// A bar for each class with images, the worst first.
std::string classes_html(const ConfusionCounts& counts, const std::vector<std::string>& classes);

}  // namespace diagrad::train
