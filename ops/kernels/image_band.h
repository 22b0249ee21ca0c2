#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "diagrad/core/size2.h"

namespace diagrad::kernels {

/// A rectangle of an image [H,W,C]; it may reach beyond the image, where pixels are zero.
struct ImageBand {
  int64_t first_row = 0;
  int64_t first_column = 0;
  Size2 size = 0;

  bool inside(const Size2& image) const {
    return first_row >= 0 && first_column >= 0 && first_row + size.h <= image.h &&
           first_column + size.w <= image.w;
  }
};

/// Copies the band to target [size.h, size.w, C].
template <typename T>
void copy_band(const T* image, const Size2& image_size, int64_t channels, const ImageBand& band,
               T* target) {
  const auto zero = [](T* at, int64_t count) { std::fill(at, at + count, T(0)); };
  const int64_t row_length = band.size.w * channels;
  const int64_t left = std::clamp<int64_t>(-band.first_column, 0, band.size.w);
  const int64_t right = std::clamp<int64_t>(image_size.w - band.first_column, left, band.size.w);
  for (int64_t row = 0; row < band.size.h; ++row, target += row_length) {
    const int64_t source_row = band.first_row + row;
    if (source_row < 0 || source_row >= image_size.h) {
      zero(target, row_length);
      continue;
    }
    zero(target, left * channels);
    const T* source = image + (source_row * image_size.w + band.first_column + left) * channels;
    std::copy(source, source + (right - left) * channels, target + left * channels);
    zero(target + right * channels, (band.size.w - right) * channels);
  }
}

/// Elements of the source that a band should hold at most: 256 KB of floats stay in L2.
inline constexpr int64_t kBandElements = int64_t{1} << 16;
/// Bands that an operation should at least have, for its threads to share.
inline constexpr int64_t kWantedBands = 16;

/// Rows of the grid per band, when each row of it needs `row_elements` elements of the source.
inline int64_t band_rows(int64_t grid_rows, int64_t row_elements, int64_t batch) {
  const int64_t fitting = std::max<int64_t>(kBandElements / std::max<int64_t>(row_elements, 1), 1);
  const int64_t wanted_per_image = (kWantedBands + batch - 1) / std::max<int64_t>(batch, 1);
  const int64_t sharing = std::max<int64_t>(grid_rows / wanted_per_image, 1);
  return std::min({fitting, sharing, std::max<int64_t>(grid_rows, 1)});
}

}  // namespace diagrad::kernels
