#include <cmath>
#include <string>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/data/augmentation.h"

namespace diagrad::data {
namespace {

/// With a probability, a rectangle of the image is replaced. Its area is uniform in a range of
/// shares of the image, its height over its width log-uniform in [a, 1/a]; a rectangle as high or
/// as wide as the image is drawn again, at most 10 times in all. As timm's RandomErasing.
class RandomErasing : public ValueAugmentation {
 public:
  explicit RandomErasing(const OptionValues& options)
      : probability_(options.get_float("probability")),
        min_area_(options.get_float("min-area")),
        max_area_(options.get_float("max-area")),
        log_aspect_(-std::log(options.get_float("min-aspect"))),
        mode_(options.get_choice("mode")) {
    DG_CHECK(min_area_ <= max_area_,
             "augment: min-area={} of 'random-erasing' is above max-area={}", min_area_, max_area_);
  }

  void change(float* values, const ImageSize& size, int64_t channels,
              RandomStream& random) const override {
    constexpr int kAttempts = 10;
    if (random.uniform() >= probability_) return;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const double area = random.uniform(min_area_, max_area_) * static_cast<double>(size.height) *
                          static_cast<double>(size.width);
      const double aspect = std::exp(random.uniform(-log_aspect_, log_aspect_));
      const ImageSize box{std::lrint(std::sqrt(area * aspect)),
                          std::lrint(std::sqrt(area / aspect))};
      if (box.height >= size.height || box.width >= size.width) continue;
      const int64_t top = random.below(size.height - box.height + 1);
      const int64_t left = random.below(size.width - box.width + 1);
      erase(values + (top * size.width + left) * channels, box, size.width * channels, channels,
            random);
      return;
    }
  }

 private:
  /// `first`: the top left value of the box; `row`: values in a row of the image.
  void erase(float* first, const ImageSize& box, int64_t row, int64_t channels,
             RandomStream& random) const {
    std::vector<float> color(static_cast<size_t>(channels), 0.0F);
    if (mode_ == "rand") {
      for (float& value : color) value = static_cast<float>(random.normal());
    }
    const bool is_noise = mode_ == "pixel";
    for (int64_t y = 0; y < box.height; ++y) {
      float* const out = first + y * row;
      for (int64_t i = 0; i < box.width * channels; ++i) {
        out[i] = is_noise ? static_cast<float>(random.normal())
                          : color[static_cast<size_t>(i % channels)];
      }
    }
  }

  double probability_;
  double min_area_;
  double max_area_;
  double log_aspect_;
  std::string mode_;
};

const bool registered = register_augmentation(
    {.name = "random-erasing",
     .help = "a random rectangle is erased (Zhong et al. 2017, as timm)",
     .options = {float_option("probability", 0.25, 0.0, 1.0, "of an image to be changed"),
                 float_option("min-area", 0.02, 0.0, 1.0, "least share of the image"),
                 float_option("max-area", 1.0 / 3.0, 0.0, 1.0, "largest share of the image"),
                 float_option("min-aspect", 0.3, 0.01, 1.0,
                              "least height over width; the largest is 1 over it"),
                 choice_option("mode", {"const", "pixel", "rand"},
                               "the mean colour, noise, or one random colour")},
     .make = [](const OptionValues& o) { return std::make_shared<RandomErasing>(o); }});

}  // namespace
}  // namespace diagrad::data
