#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/data/augmentation.h"

namespace diagrad::data {
namespace {

/// A black border of `border` pixels, then a crop of the old size at any of its (2 border + 1)^2
/// places.
class PadCrop : public GeometricAugmentation {
 public:
  explicit PadCrop(int64_t border) : border_(border) {}

  void check(const ImageSize& size) const override {
    DG_CHECK(border_ < std::min(size.height, size.width),
             "augment: a crop border of {} does not fit images of {}x{}, use at most {}", border_,
             size.height, size.width, std::min(size.height, size.width) - 1);
  }

  AffineMap draw(const ImageSize& size, RandomStream& random) const override {
    const int64_t places = 2 * border_ + 1;
    const int64_t down = random.below(places) - border_;
    const int64_t right = random.below(places) - border_;
    return {.size = size, .y0 = static_cast<double>(down), .x0 = static_cast<double>(right)};
  }

 private:
  int64_t border_;
};

const bool registered = register_augmentation(
    {.name = "pad-crop",
     .help = "a black border, then a crop of the old size at a random place",
     .options = {int_option("border", 4, 1, 4096, "width of the border in pixels")},
     .make = [](const OptionValues& o) { return std::make_shared<PadCrop>(o.get_int("border")); },
     .first_draw = 0});

}  // namespace
}  // namespace diagrad::data
