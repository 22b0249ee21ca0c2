#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/core/shape.h"

namespace diagrad::data {

/// A rectangle around one object, in pixels from the top left corner of the image; right and
/// bottom lie one past the last pixel.
struct Box {
  float left = 0.0F;
  float top = 0.0F;
  float right = 0.0F;
  float bottom = 0.0F;
  int64_t label = 0;
};

/// One image and what is known of it. Reading into the same Sample again reuses its memory.
struct Sample {
  std::vector<uint8_t> pixels;  ///< [H,W,C], 0..255
  int64_t label = 0;            ///< in [0, K)
  std::vector<uint8_t> mask;    ///< [H,W], 0 background, 1 + class elsewhere; empty: has none
  std::vector<Box> boxes;       ///< empty: has none
};

/// What holds for every image of a data set.
struct DatasetInfo {
  std::string name = {};                  ///< "cifar10", "cifar100", "shapes"
  Shape image = {};                       ///< [H,W,C]
  std::vector<std::string> classes = {};  ///< K names, in order of their labels
  bool has_masks = false;
  bool has_boxes = false;
  std::string normalization = {};  ///< the usual preset for it, see transform.h

  int64_t class_count() const { return static_cast<int64_t>(classes.size()); }
  /// Of classify, segment, denoise, detect: those that its images can train.
  std::vector<std::string> tasks() const;
};

/// A numbered set of images of one size. Reading is a function of the index alone and may happen
/// on several threads at once.
class Dataset {
 public:
  explicit Dataset(DatasetInfo info) : info_(std::move(info)) {}
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  const DatasetInfo& info() const { return info_; }
  virtual int64_t size() const = 0;
  /// Fills `sample`, index in [0, size). Throws Error(data) that names the source.
  virtual void read(int64_t index, Sample& sample) const = 0;
  /// Where image `index` comes from, for messages: "data_batch_1.bin, record 17".
  virtual std::string source(int64_t index) const = 0;

 private:
  DatasetInfo info_;
};

using DatasetPtr = std::shared_ptr<const Dataset>;

struct DatasetPair {
  DatasetPtr train;
  DatasetPtr test;
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
