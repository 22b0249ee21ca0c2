#include "diagrad/data/augmentation.h"

namespace diagrad::data {
namespace {

/// Left to right, every second image.
class Flip : public GeometricAugmentation {
 public:
  AffineMap draw(const ImageSize& size, RandomStream& random) const override {
    if (random.below(2) == 0) return {.size = size};
    return {.size = size, .xx = -1.0, .x0 = static_cast<double>(size.width)};
  }
};

const bool registered =
    register_augmentation({.name = "flip",
                           .help = "left to right, every second image",
                           .make = [](const OptionValues&) { return std::make_shared<Flip>(); },
                           .first_draw = 2});

}  // namespace
}  // namespace diagrad::data
