#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "diagrad/core/shape.h"

namespace diagrad::data {

struct DatasetInfo;

/// The values of one target of one image, row by row.
struct SampleTarget {
  std::string name;
  std::variant<std::vector<uint8_t>, std::vector<int64_t>, std::vector<float>> values;
};

/// One image and its targets. Reading into the same Sample again reuses its memory.
struct Sample {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> pixels;        ///< [H,W,C], 0..255
  std::vector<SampleTarget> targets;  ///< in the order of DatasetInfo::targets

  /// How a data set begins to fill it: sets the size, `image` being [H,W,C], and makes every target
  /// of `info` empty. pixels gets its size; what is in it is unspecified.
  void start(const DatasetInfo& info, const Shape& image);

  /// The values of a target, T being uint8_t, int64_t or float. Throws Error(usage) for a target
  /// that is not there, with those there are, and for another T.
  template <typename T>
  std::vector<T>& values(std::string_view name);
  template <typename T>
  const std::vector<T>& values(std::string_view name) const;
};

/// Throws Error(data) for a sample that contradicts `info`: its size, the number of pixels and of
/// each target's values, class indices out of range, boxes that are not finite.
void check_sample(const DatasetInfo& info, const Sample& sample);

}  // namespace diagrad::data
