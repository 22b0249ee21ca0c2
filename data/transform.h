#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/core/tensor.h"
#include "diagrad/data/augmentation.h"
#include "diagrad/data/geometry.h"

namespace diagrad::data {

/// y = (x / 255 - mean) / deviation, per channel.
struct Normalization {
  std::string name;
  std::string help;
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{};
};

/// The presets: cifar (the authors', for CIFAR-10 and CIFAR-100 alike), cifar10 and cifar100 (the
/// figures measured on each), half (to [-1, 1]).
std::span<const Normalization> normalizations();
/// Throws with the known names.
const Normalization& normalization(std::string_view name);

/// The reverse, for images [B,H,W,C] of f32 or f64: the nearest bytes, values beyond 0 and 255 cut.
/// Throws Error(diverged) for a NaN.
std::vector<uint8_t> to_bytes(const Tensor& images, const Normalization& normalization);

/// Turns a u8 image [H,W,C] into a normalised f32 one, changed by random steps: all geometric ones
/// in the order of the list, then those on bytes, the normalisation, those on values. Every random
/// choice is a function of (seed, epoch, index of the image) alone. Thread-safe.
class Transform {
 public:
  /// `image`: [H,W,C] of the data set; H and W are 0 where images differ in size. Throws for more
  /// than 3 channels, and for a step that does not fit the size. An image with one channel takes
  /// the preset's first.
  Transform(const Shape& image, const Normalization& normalization,
            std::vector<AugmentationStep> steps = {}, uint64_t seed = 0);

  /// What the geometric steps do to an image of that size. Throws for a step that does not fit it.
  void choose(const ImageSize& size, int64_t epoch, int64_t index, Geometry& geometry) const;
  /// pixels: of the size before `geometry`; out: of the size after it.
  void apply(const uint8_t* pixels, const Geometry& geometry, int64_t epoch, int64_t index,
             float* out) const;

 private:
  template <typename Kind>
  struct Step {
    const Kind* step;
    uint64_t first_draw;
  };
  RandomStream stream(int64_t epoch, int64_t index) const;
  void normalize(const uint8_t* pixels, const ImageSize& size, const Geometry::PixelMap& map,
                 int64_t row_length, float* out) const;

  int64_t channels_;
  std::vector<AugmentationStep> owned_;
  std::vector<Step<GeometricAugmentation>> geometric_;
  std::vector<Step<ByteAugmentation>> byte_;
  std::vector<Step<ValueAugmentation>> value_;
  uint64_t seed_;
  std::array<std::array<float, 256>, 3> table_;  ///< normalised value of each byte, per channel
};

}  // namespace diagrad::data
