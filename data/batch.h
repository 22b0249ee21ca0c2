#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/tensor.h"
#include "diagrad/data/dataset.h"
#include "diagrad/data/geometry.h"

namespace diagrad::data {

/// A target of all images of a batch, collated as its TargetForm says.
struct BatchTarget {
  std::string name;
  Tensor values;   ///< [B, shape...], [B,H,W] or, ragged, [sum n, shape...]
  Tensor offsets;  ///< ragged: i64 [B+1], rows offsets[b] to offsets[b+1] are those of image b
};

struct Batch {
  Tensor images;                     ///< f32 [B,H,W,C]
  std::vector<BatchTarget> targets;  ///< in the order of DatasetInfo::targets
  std::vector<int64_t> indices;      ///< of the images in the data set
  int64_t number = 0;                ///< of the batch in its epoch
  /// Only where the images are mixed (mix.h): the share of image b in its mixture with image B-1-b.
  std::optional<double> own_share = {};

  int64_t size() const { return static_cast<int64_t>(indices.size()); }  ///< images in it
  /// Throws Error(data) for a target that is not there, with those there are.
  const BatchTarget& target(std::string_view name) const;
};

/// Puts the targets of images together: of `count` images whose new size is `size`.
class Collator {
 public:
  Collator(const DatasetInfo& info, int64_t count, const ImageSize& size);

  /// The targets of image `place` of the batch, moved by `geometry`; those of `sample` are spent.
  /// Different places may be put on several threads at once.
  void put(int64_t place, Sample& sample, const Geometry& geometry);
  /// After every place was put.
  std::vector<BatchTarget> finish();

 private:
  Tensor make_ragged(const TargetInfo& info, const std::vector<SampleTarget>& rows,
                     Tensor& offsets) const;

  const DatasetInfo& info_;
  int64_t count_;
  ImageSize size_;
  std::vector<BatchTarget> targets_;
  std::vector<std::vector<SampleTarget>> ragged_;  ///< per target, per image; empty for the others
};

}  // namespace diagrad::data
