#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/shape.h"

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

/// Random changes to a training image, in this order; 0 or false leaves a step out.
struct Augmentation {
  int64_t pad_crop = 0;  ///< black border of p pixels, then a crop of the old size at any of its
                         ///< (2p+1)^2 places
  bool flip = false;     ///< left to right, every second image
  int64_t cutout = 0;    ///< a square of this side around any pixel becomes the mean colour; parts
                         ///< outside the image are lost (DeVries and Taylor 2017)
};

/// What Augmentation does to one image.
struct AugmentChoice {
  int64_t shift_y = 0;  ///< row y of the result is row y + shift_y of the source
  int64_t shift_x = 0;
  bool flip = false;
  int64_t cut_y = 0;  ///< centre of the cutout
  int64_t cut_x = 0;
};

/// Turns a u8 image [H,W,C] into normalised f32 of the same shape. Every random choice is a
/// function of (seed, epoch, index of the image) alone. Thread-safe.
class Transform {
 public:
  /// Throws for more than 3 channels, a crop border or cutout that is negative or larger than the
  /// image. An image with one channel takes the preset's first.
  Transform(const Shape& image, const Normalization& normalization,
            const Augmentation& augmentation = {}, uint64_t seed = 0);

  AugmentChoice choose(int64_t epoch, int64_t index) const;
  /// pixels and out: H*W*C values.
  void apply(const uint8_t* pixels, const AugmentChoice& choice, float* out) const;

 private:
  void write_row(const uint8_t* pixels, const AugmentChoice& choice, int64_t y, float* out) const;
  void cut(const AugmentChoice& choice, float* out) const;

  int64_t height_;
  int64_t width_;
  int64_t channels_;
  Augmentation augmentation_;
  uint64_t seed_;
  std::array<std::array<float, 256>, 3> table_;  ///< normalised value of each byte, per channel
};

}  // namespace diagrad::data
