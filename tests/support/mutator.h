#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/random.h"

namespace diagrad::testing {

/// Damages texts and files as accident or malice would: bits and bytes, cuts, stretches that are
/// lost, doubled or taken from elsewhere, long repetitions, numbers that are too large. The same
/// purpose and seed give the same sequence everywhere.
class Mutator {
 public:
  /// `examples`: whole inputs of the reader, which changes start from and stretches come from; at
  /// least one.
  Mutator(std::string_view purpose, std::vector<std::string> examples, uint64_t seed = 1);

  /// One of the examples after one to four changes.
  std::string next();
  /// `bytes` after one change.
  std::string changed(std::string bytes);

 private:
  size_t below(size_t bound);
  /// A place and a length in `bytes`; the length is at most `longest`.
  std::string stretch(const std::string& bytes, size_t longest);
  void inflate_number(std::string& bytes);

  std::vector<std::string> examples_;
  RandomStream random_;
};

}  // namespace diagrad::testing
