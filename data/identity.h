#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/data/dataset.h"

namespace diagrad::data {

/// What tells one data set from another, as a run remembers it.
struct DataIdentity {
  std::string name;
  Shape input;                       ///< of one image, [H,W,C]
  std::vector<std::string> classes;  ///< names, by label
  int64_t train_images = 0;          ///< as published: before --val-split
  int64_t validation_images = 0;
  int64_t test_images = 0;
  /// Of what is in it, one word of 16 hexadecimal digits each for train, validation and test,
  /// joined by '-'; zeros for a set that is not there. Empty: not taken.
  std::string hash;

  bool operator==(const DataIdentity&) const = default;
};

/// Reads the class labels of all images, and the pixels and all targets of 1,024 evenly spaced
/// images of each set (all of a smaller one), into an XXH3 hash each. A change of pixels, masks or
/// boxes of other images is not seen. Throws Error(data) where one of them cannot be read.
DataIdentity identify(const DatasetSplits& splits);

/// What differs between the data of a run and other data, each as words that follow "the data of
/// the run differ: "; empty where they are the same. The name alone is no difference.
std::vector<std::string> differences(const DataIdentity& run, const DataIdentity& other);

/// Where two data sets have the same classes.
enum class ClassMatch {
  same,       ///< in the same order; or the run has none, or one has numbers for names, as many
  reordered,  ///< all those of `other` are among those of `run`, at other places or not all of them
  other       ///< at least one is not known to the run
};
/// "class 0", "class 1", ...: a set whose names are not known matches any with as many classes.
ClassMatch match_classes(const std::vector<std::string>& run,
                         const std::vector<std::string>& other);

/// The same images with class indices of `classes` in place of their own, in every target that
/// holds class indices. Throws Error(data) for a class of `dataset` that is not among them.
DatasetPtr with_classes(DatasetPtr dataset, std::vector<std::string> classes);

}  // namespace diagrad::data
