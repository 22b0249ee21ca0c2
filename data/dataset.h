#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/data/sample.h"
#include "diagrad/data/target.h"

namespace diagrad::data {

/// What holds for every image of a data set.
struct DatasetInfo {
  std::string name = {};  ///< "cifar10", "cifar100", "shapes"
  /// [H,W,C]; H and W are 0 where images differ in size.
  Shape image = {};
  std::vector<std::string> classes = {};  ///< K names, in order of their labels
  std::vector<TargetInfo> targets = {};   ///< what every sample of it has
  std::string normalization = {};         ///< default preset for it, see transform.h

  int64_t class_count() const { return static_cast<int64_t>(classes.size()); }
  bool has_target(std::string_view target) const;
  /// The place of a target in `targets`. Throws Error(data) for one that is not there, with those
  /// there are.
  size_t target_index(std::string_view target) const;
};

/// A numbered set of images with targets. Reading is a function of the index alone and may happen
/// on several threads at once.
class Dataset {
 public:
  /// Throws Error(usage) for an image size or targets that contradict DatasetInfo and TargetInfo.
  explicit Dataset(DatasetInfo info);
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  const DatasetInfo& info() const { return info_; }
  virtual int64_t size() const = 0;
  /// Fills `sample`, beginning with sample.start(); index in [0, size). Throws Error(data) that
  /// names the source.
  virtual void read(int64_t index, Sample& sample) const = 0;
  /// The class of image `index`: the one value of its first target of class indices; -1 where it
  /// has none. A data set that knows it without reading the image overrides this: it is asked for
  /// all images when a run begins.
  virtual int64_t label(int64_t index) const;
  /// Where image `index` comes from, for messages: "data_batch_1.bin, record 17".
  virtual std::string source(int64_t index) const = 0;

 private:
  DatasetInfo info_;
};

using DatasetPtr = std::shared_ptr<const Dataset>;

/// What a data set is divided into by those who published it.
struct DatasetSplits {
  DatasetPtr train;
  DatasetPtr validation = {};  ///< null: it has none
  DatasetPtr test;
  std::vector<std::string> notes = {};  ///< what the user should know: parts that are missing
};

/// The images `indices` of another data set, in that order. Throws for an index outside it.
DatasetPtr subset(DatasetPtr dataset, std::vector<int64_t> indices);

/// Sets `count` images aside for validation, drawn by `seed`; both parts keep the order of the
/// original. Throws unless 0 < count < size.
struct Split {
  DatasetPtr train;
  DatasetPtr validation;
};
Split split_validation(const DatasetPtr& dataset, int64_t count, uint64_t seed);

}  // namespace diagrad::data
