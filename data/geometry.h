#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "diagrad/core/shape.h"

namespace diagrad::data {

struct ImageSize {
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// A geometric change of an image: the size of the new one, and for each position (y, x) in it the
/// position in the old one that it shows,
///
///     old y = yy * y + yx * x + y0        old x = xy * y + xx * x + x0.
///
/// Positions are in pixels from the top left corner; the centre of pixel (i, j) is (i+0.5, j+0.5).
/// What shows a position outside the old image is filled.
struct AffineMap {
  ImageSize size = {};
  double yy = 1.0;
  double yx = 0.0;
  double y0 = 0.0;
  double xy = 0.0;
  double xx = 1.0;
  double x0 = 0.0;
};

/// The geometric changes of one image, one after the other, applied at once: an image is sampled
/// once, however many there are. Pixels that one change moves out of the image stay lost.
class Geometry {
 public:
  Geometry() = default;
  explicit Geometry(const ImageSize& source) : source_(source) {}

  /// Of another image, without any change; the memory is used again.
  void start(const ImageSize& source);
  /// Throws Error(usage) for a map that makes no image or has no inverse.
  void add(const AffineMap& map);

  ImageSize source() const { return source_; }
  ImageSize size() const { return maps_.empty() ? source_ : maps_.back().size; }

  /// Maps that only shift by whole pixels, mirror or turn by 90 degrees, taken together: new pixel
  /// (i, j) of rows [top, bottom) and columns [left, right) shows old pixel
  /// (y0 + yy*i + yx*j, x0 + xy*i + xx*j); the others are filled.
  struct PixelMap {
    int64_t top = 0;
    int64_t bottom = 0;
    int64_t left = 0;
    int64_t right = 0;
    int64_t yy = 1;
    int64_t yx = 0;
    int64_t y0 = 0;
    int64_t xy = 0;
    int64_t xx = 1;
    int64_t x0 = 0;
  };
  /// Nothing where a map does more than that: pixels are then interpolated.
  std::optional<PixelMap> pixel_map() const;

  /// The new image of an old one, u8 [H,W,C]: bilinear where there is no pixel_map(), black
  /// outside.
  void move_image(const uint8_t* pixels, int64_t channels, uint8_t* out) const;
  /// The new map [H,W] of an old one: the value of the nearest pixel, so that no new value appears.
  template <typename T>
  void move_map(const T* values, T outside, T* out) const;
  /// The number k of each row of `boxes`, f32 [n,4], of which something is left within the image;
  /// the boxes become those of the new image: around the moved corners, clipped.
  std::vector<int64_t> move_boxes(std::vector<float>& boxes) const;

 private:
  struct Position {
    double y = 0.0;
    double x = 0.0;
  };
  /// The old position that the centre of new pixel (i, j) shows; nothing outside.
  std::optional<Position> source_of(int64_t i, int64_t j) const;
  ImageSize size_before(size_t map) const { return map == 0 ? source_ : maps_[map - 1].size; }

  ImageSize source_ = {};
  std::vector<AffineMap> maps_;
};

}  // namespace diagrad::data
