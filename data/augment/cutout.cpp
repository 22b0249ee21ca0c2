#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/data/augmentation.h"

namespace diagrad::data {
namespace {

/// A square around a random pixel becomes the mean colour; parts outside the image are lost.
class Cutout : public ValueAugmentation {
 public:
  explicit Cutout(int64_t size) : size_(size) {}

  void check(const ImageSize& size) const override {
    DG_CHECK(size_ <= std::min(size.height, size.width),
             "augment: a cutout of {} does not fit images of {}x{}, use at most {}", size_,
             size.height, size.width, std::min(size.height, size.width));
  }

  void change(float* values, const ImageSize& size, int64_t channels,
              RandomStream& random) const override {
    const int64_t first_y = random.below(size.height) - size_ / 2;
    const int64_t first_x = random.below(size.width) - size_ / 2;
    const int64_t left = std::max<int64_t>(first_x, 0);
    const int64_t right = std::min(first_x + size_, size.width);
    for (int64_t y = std::max<int64_t>(first_y, 0); y < std::min(first_y + size_, size.height);
         ++y) {
      std::fill_n(values + (y * size.width + left) * channels, (right - left) * channels, 0.0F);
    }
  }

 private:
  int64_t size_;
};

const bool registered = register_augmentation(
    {.name = "cutout",
     .help = "a square becomes the mean colour (DeVries and Taylor 2017)",
     .options = {int_option("size", 16, 1, 4096, "side of the square in pixels")},
     .make = [](const OptionValues& o) { return std::make_shared<Cutout>(o.get_int("size")); },
     .first_draw = 3});

}  // namespace
}  // namespace diagrad::data
