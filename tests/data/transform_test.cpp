#include "diagrad/data/transform.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>

#include "diagrad/data/cifar.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::AffineMap;
using data::Geometry;
using data::normalization;
using data::Transform;
using testing::error_message;

constexpr int64_t kH = 7;
constexpr int64_t kW = 5;

std::vector<uint8_t> image() {
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < kH * kW * 3; ++i) pixels.push_back(static_cast<uint8_t>(1 + i * 2));
  return pixels;
}

/// The image after `maps`, normalised.
std::vector<float> apply(const std::vector<AffineMap>& maps) {
  std::vector<float> out(static_cast<size_t>(kH * kW * 3), -99.0F);
  Geometry geometry({kH, kW});
  for (const AffineMap& map : maps) geometry.add(map);
  Transform({kH, kW, 3}, normalization("cifar")).apply(image().data(), geometry, 0, 0, out.data());
  return out;
}

AffineMap shift(double y, double x) {
  return {.size = {kH, kW}, .y0 = y, .x0 = x};
}

const AffineMap kFlip{.size = {kH, kW}, .xx = -1.0, .x0 = static_cast<double>(kW)};

float at(const std::vector<float>& image, int64_t y, int64_t x, int64_t c) {
  return image[static_cast<size_t>((y * kW + x) * 3 + c)];
}

/// What the pixel of the source at (y, x) becomes; black outside the image.
double expected(int64_t y, int64_t x, int64_t c) {
  const double mean[] = {0.4914, 0.4822, 0.4465};
  const double deviation[] = {0.2023, 0.1994, 0.2010};
  const bool inside = y >= 0 && y < kH && x >= 0 && x < kW;
  const double value = inside ? image()[static_cast<size_t>((y * kW + x) * 3 + c)] : 0.0;
  return (value / 255.0 - mean[c]) / deviation[c];
}

template <typename Source>
void check_image(const std::vector<float>& image, Source source) {
  for (int64_t y = 0; y < kH; ++y) {
    for (int64_t x = 0; x < kW; ++x) {
      const auto [from_y, from_x] = source(y, x);
      for (int64_t c = 0; c < 3; ++c) {
        REQUIRE(at(image, y, x, c) == doctest::Approx(expected(from_y, from_x, c)).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("a transform without augmentation normalises every channel with its own figures") {
  check_image(apply({}), [](int64_t y, int64_t x) { return std::pair(y, x); });
}

TEST_CASE("a crop of a padded image shifts it and brings in black") {
  check_image(apply({shift(-2, 1)}), [](int64_t y, int64_t x) { return std::pair(y - 2, x + 1); });
}

TEST_CASE("the flip mirrors the cropped image") {
  check_image(apply({shift(1, -2), kFlip}),
              [](int64_t y, int64_t x) { return std::pair(y + 1, kW - 1 - x - 2); });
}

TEST_CASE("what one geometric step loses, the next does not bring back") {
  check_image(apply({shift(0, 2), shift(0, -2)}),
              [](int64_t y, int64_t x) { return std::pair(x < 2 ? -1 : y, x); });
}

TEST_CASE("the cutout sets a square around a pixel to the mean, clipped at the border") {
  const Transform transform({kH, kW, 3}, normalization("cifar"),
                            data::parse_augmentations({"cutout:size=3"}), 1);
  std::vector<float> out(static_cast<size_t>(kH * kW * 3));
  std::map<std::pair<int64_t, int64_t>, int> seen;
  for (int64_t index = 0; index < 700; ++index) {
    transform.apply(image().data(), Geometry({kH, kW}), 0, index, out.data());
    RandomStream random(1, stream_id("augment", 0, static_cast<uint64_t>(index)), 3);
    const int64_t centre_y = random.below(kH);
    const int64_t centre_x = random.below(kW);
    ++seen[{centre_y, centre_x}];
    for (int64_t y = 0; y < kH; ++y) {
      for (int64_t x = 0; x < kW; ++x) {
        const bool cut = std::abs(y - centre_y) <= 1 && std::abs(x - centre_x) <= 1;
        REQUIRE((at(out, y, x, 1) == 0.0F) == cut);
      }
    }
  }
  CHECK(seen.size() == kH * kW);
}

TEST_CASE("the presets of normalisation have the figures that their pages give") {
  struct Preset {
    std::string name;
    std::array<float, 3> mean, deviation;
  };
  const Preset presets[] = {
      // transforms.Normalize of the authors' cifar.py, for both sets.
      {"cifar", {0.4914F, 0.4822F, 0.4465F}, {0.2023F, 0.1994F, 0.2010F}},
      // Over all pixels of the 50,000 training images, to four digits.
      {"cifar10", {0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F}},
      {"cifar100", {0.5071F, 0.4865F, 0.4409F}, {0.2673F, 0.2564F, 0.2762F}},
      {"half", {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}},
  };
  CHECK(data::normalizations().size() == std::size(presets));
  for (const Preset& preset : presets) {
    CAPTURE(preset.name);
    CHECK(normalization(preset.name).mean == preset.mean);
    CHECK(normalization(preset.name).deviation == preset.deviation);
  }
}

/// Checks a preset against what the first images of a set say.
void check_measured(const std::string& preset, const data::DatasetPtr& images) {
  std::array<double, 3> sum{};
  std::array<double, 3> squares{};
  data::Sample sample;
  const int64_t count = std::min<int64_t>(images->size(), 10000);
  for (int64_t i = 0; i < count; ++i) {
    images->read(i, sample);
    for (size_t k = 0; k < sample.pixels.size(); ++k) {
      const double value = sample.pixels[k] / 255.0;
      sum[k % 3] += value;
      squares[k % 3] += value * value;
    }
  }
  const double pixels = static_cast<double>(count) * 32 * 32;
  for (size_t c = 0; c < 3; ++c) {
    const double mean = sum[c] / pixels;
    const double deviation = std::sqrt(squares[c] / pixels - mean * mean);
    // The mean over 10,000 images has a standard error of 0.0015.
    CHECK(std::abs(mean - static_cast<double>(normalization(preset).mean[c])) < 0.005);
    CHECK(std::abs(deviation - static_cast<double>(normalization(preset).deviation[c])) < 0.005);
  }
}

TEST_CASE("the presets cifar10 and cifar100 are what real images measure") {
  const std::string ten = testing::real_data("cifar-10-batches-bin");
  if (!ten.empty()) check_measured("cifar10", data::open_cifar10(ten).train);
  const std::string hundred = testing::real_data("cifar-100-binary");
  if (!hundred.empty()) check_measured("cifar100", data::open_cifar100(hundred).train);
}

TEST_CASE("a data set without a normalization is told where to name one") {
  CHECK(error_message([] { normalization(""); }) ==
        "normalization: no preset is named; set DatasetInfo::normalization of the data set or use "
        "--normalization (one of: cifar, cifar10, cifar100, half)");
  CHECK(error_message([] { normalization("cifar1O"); }) ==
        "normalization: no preset 'cifar1O', did you mean 'cifar10'? (use one of: cifar, cifar10, "
        "cifar100, half)");
}

TEST_CASE("a transform rejects what does not fit the image") {
  const auto message = [](const Shape& image, const std::vector<std::string>& steps) {
    return error_message(
        [&] { Transform(image, normalization("half"), data::parse_augmentations(steps)); });
  };
  CHECK(message({8, 8, 4}, {}) ==
        "transform: images are [8,8,4], expected [H,W,C] with 1 to 3 channels");
  CHECK(message({8, 8}, {}) ==
        "transform: images are [8,8], expected [H,W,C] with 1 to 3 channels");
  CHECK(message({8, 6, 3}, {"pad-crop:border=6"}) ==
        "augment: a crop border of 6 does not fit images of 8x6, use at most 5");
  CHECK(message({8, 6, 3}, {"cutout:size=7"}) ==
        "augment: a cutout of 7 does not fit images of 8x6, use at most 6");
  // Where images differ in size, each is looked at.
  const Transform any({0, 0, 3}, normalization("half"), data::parse_augmentations({"pad-crop"}));
  Geometry geometry;
  any.choose({5, 9}, 0, 0, geometry);
  CHECK(error_message([&] {
          any.choose({9, 4}, 0, 0, geometry);
        }) == "augment: a crop border of 4 does not fit images of 9x4, use at most 3");
}

}  // namespace
}  // namespace diagrad
