#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "diagrad/core/size2.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"

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

/// What every window of a grid reaches, in source pixels from the window's own one.
struct Reach {
  int64_t top = 0;
  int64_t left = 0;
  int64_t bottom = 0;
  int64_t right = 0;
};

/// How the images behind a grid of windows are walked: in bands of grid rows that are enough for
/// all threads and small enough to stay in cache, each read in place where it lies inside the image
/// and otherwise copied with its border.
class BandLayout {
 public:
  /// Point (i, j) of the grid sees the image around pixel (i, j) * step. `in_place` forbids reading
  /// in place when false.
  BandLayout(const Size2& image, int64_t channels, int64_t batch, const Reach& reach,
             const Size2& step, const Size2& grid, bool in_place = true)
      : image_(image), channels_(channels), reach_(reach), step_(step), grid_(grid) {
    const ImageBand whole = area(0, grid.h);
    in_place_ = in_place && whole.inside(image);
    row_stride_ = (in_place_ ? image.w : whole.size.w) * channels;
    const int64_t row_elements = std::max<int64_t>(step.h * whole.size.w * channels, 1);
    const int64_t fitting = std::max<int64_t>(kBandElements / row_elements, 1);
    const int64_t wanted = (kWantedBands + batch - 1) / std::max<int64_t>(batch, 1);
    const int64_t sharing = std::max<int64_t>(grid.h / std::max<int64_t>(wanted, 1), 1);
    const int64_t largest = std::max<int64_t>(std::min({fitting, sharing, grid.h}), 1);
    const int64_t count = std::max<int64_t>((grid.h + largest - 1) / largest, 1);
    rows_per_band_ = std::max<int64_t>((grid.h + count - 1) / count, 1);
  }

  int64_t row_stride() const { return row_stride_; }
  int64_t rows_per_band() const { return rows_per_band_; }
  int64_t bands() const { return (grid_.h + rows_per_band_ - 1) / rows_per_band_; }
  int64_t first_row(int64_t band) const { return band * rows_per_band_; }
  int64_t last_row(int64_t band) const { return std::min(first_row(band + 1), grid_.h); }

  /// Elements of the buffer that open() needs; `room` may be read behind the last pixel.
  int64_t buffer_size(int64_t room) const {
    return in_place_ ? 0 : area(0, rows_per_band_).size.h * row_stride_ + room;
  }
  /// What a band reads of an image, as elements [first, last).
  struct Part {
    int64_t first;
    int64_t last;
  };
  Part part(int64_t band) const {
    const ImageBand pixels = area(first_row(band), last_row(band));
    const auto element = [&](int64_t row) {
      return std::clamp<int64_t>(row, 0, image_.h) * image_.w * channels_;
    };
    return {element(pixels.first_row), element(pixels.first_row + pixels.size.h)};
  }
  /// The top left corner of what the first window of a band of `image` reaches.
  template <typename T>
  const T* open(const T* image, int64_t band, T* buffer) const {
    const ImageBand pixels = area(first_row(band), last_row(band));
    if (in_place_) return image + pixels.first_row * row_stride_ + pixels.first_column * channels_;
    copy_band(image, image_, channels_, pixels, buffer);
    return buffer;
  }

 private:
  /// 256 KB of floats stay in L2.
  static constexpr int64_t kBandElements = int64_t{1} << 16;
  static constexpr int64_t kWantedBands = 16;

  ImageBand area(int64_t first, int64_t last) const {
    return {first * step_.h + reach_.top,
            reach_.left,
            {(last - first - 1) * step_.h + reach_.bottom - reach_.top + 1,
             (grid_.w - 1) * step_.w + reach_.right - reach_.left + 1}};
  }

  Size2 image_;
  int64_t channels_;
  Reach reach_;
  Size2 step_;
  Size2 grid_;
  bool in_place_ = false;
  int64_t row_stride_ = 0;
  int64_t rows_per_band_ = 1;
};

/// What the band after this one reads of its image, prefetched share by share while products run.
template <typename T>
class NextBand {
 public:
  NextBand() = default;
  NextBand(const T* image, const BandLayout::Part& part, int64_t products)
      : next_(image + part.first),
        end_(image + part.last),
        share_((part.last - part.first) / products + 1) {}

  /// Gives one product its share to prefetch, nothing where all is prefetched.
  void prefetch(PanelOperand<T>& operand) {
    operand.next = next_;
    operand.next_size = std::min(share_, end_ - next_);
    next_ += operand.next_size;
  }

 private:
  const T* next_ = nullptr;
  const T* end_ = nullptr;
  int64_t share_ = 0;
};

}  // namespace diagrad::kernels
