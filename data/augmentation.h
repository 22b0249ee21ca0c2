#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/core/option.h"
#include "diagrad/core/random.h"
#include "diagrad/data/geometry.h"

namespace diagrad::data {

/// A random change of training images, a step of `--augment`. One of the three kinds below. What a
/// step draws is a function of (seed, epoch, index of the image) and its name alone: it may be
/// called on several threads at once and for images in any order.
class Augmentation {
 public:
  Augmentation() = default;
  virtual ~Augmentation() = default;
  Augmentation(const Augmentation&) = delete;
  Augmentation& operator=(const Augmentation&) = delete;

  /// Throws Error(usage) where the step cannot serve images of that size.
  virtual void check(const ImageSize& /*size*/) const {}
};

/// Moves pixels: one choice for the image, its maps (by nearest) and its boxes. Runs before the
/// other kinds.
class GeometricAugmentation : public Augmentation {
 public:
  /// The choice for an image of that size.
  virtual AffineMap draw(const ImageSize& size, RandomStream& random) const = 0;
};

/// Changes the bytes of an image, not its targets: pixels [H,W,C], 0..255, in place.
class ByteAugmentation : public Augmentation {
 public:
  virtual void change(uint8_t* pixels, const ImageSize& size, int64_t channels,
                      RandomStream& random) const = 0;
};

/// Changes the normalised values of an image, not its targets: values [H,W,C], 0 being the mean of
/// the channel, in place. Runs after the other kinds.
class ValueAugmentation : public Augmentation {
 public:
  virtual void change(float* values, const ImageSize& size, int64_t channels,
                      RandomStream& random) const = 0;
};

struct AugmentationInfo {
  std::string name = {};
  std::string help = {};  ///< one line
  std::vector<Option> options = {};
  std::function<std::shared_ptr<const Augmentation>(const OptionValues&)> make = {};
  /// Counter of its first draw in the stream ("augment", epoch, index), which all steps share.
  /// Absent: a place of its own, far from the others', made from its name.
  std::optional<uint64_t> first_draw = {};
};

/// `const bool registered = register_augmentation({...});` at namespace scope of the step's file.
/// Throws for a name that is empty or taken, and without `make`.
bool register_augmentation(AugmentationInfo info);
/// All steps, in order of their names.
const std::vector<AugmentationInfo>& augmentations();

/// A step of a list, and where in the stream of an image it begins to draw.
struct AugmentationStep {
  std::shared_ptr<const Augmentation> step;
  uint64_t first_draw = 0;
};

/// The steps that `--augment` lists, one item each: `pad-crop`, `pad-crop:border=2`, options joined
/// by `+`. `none` alone, and an empty list, is no step. A step may come twice and then draws anew.
/// Throws Error(usage).
std::vector<AugmentationStep> parse_augmentations(const std::vector<std::string>& items);

}  // namespace diagrad::data
