#include "diagrad/data/transform.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "diagrad/data/cifar.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::Augmentation;
using data::AugmentChoice;
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

std::vector<float> apply(const Augmentation& augmentation, const AugmentChoice& choice) {
  std::vector<float> out(static_cast<size_t>(kH * kW * 3), -99.0F);
  Transform({kH, kW, 3}, normalization("cifar"), augmentation)
      .apply(image().data(), choice, out.data());
  return out;
}

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
  check_image(apply({}, {}), [](int64_t y, int64_t x) { return std::pair(y, x); });
}

TEST_CASE("pad and crop shift the image and bring in black") {
  check_image(apply({.pad_crop = 2}, {.shift_y = -2, .shift_x = 1}),
              [](int64_t y, int64_t x) { return std::pair(y - 2, x + 1); });
}

TEST_CASE("the flip mirrors the cropped image") {
  check_image(apply({.pad_crop = 2, .flip = true}, {.shift_y = 1, .shift_x = -2, .flip = true}),
              [](int64_t y, int64_t x) { return std::pair(y + 1, kW - 1 - x - 2); });
}

TEST_CASE("the cutout sets a square around its centre to the mean, clipped at the border") {
  const std::vector<float> image = apply({.cutout = 3}, {.cut_y = 0, .cut_x = 2});
  for (int64_t y = 0; y < kH; ++y) {
    for (int64_t x = 0; x < kW; ++x) {
      const bool cut = y <= 1 && x >= 1 && x <= 3;
      CHECK((at(image, y, x, 1) == 0.0F) == cut);
    }
  }
  const std::vector<float> even = apply({.cutout = 4}, {.cut_y = 6, .cut_x = 4});
  int64_t zeros = 0;
  for (const float value : even) zeros += value == 0.0F ? 1 : 0;
  CHECK(zeros == 3 * 3 * 3);  // rows 4 to 6, columns 2 to 4
}

TEST_CASE("random choices are a function of seed, epoch and image, and reach every value") {
  const Augmentation all{.pad_crop = 2, .flip = true, .cutout = 3};
  const Transform transform({kH, kW, 3}, normalization("half"), all, 5);
  const Transform reseeded({kH, kW, 3}, normalization("half"), all, 6);
  const Transform no_flip({kH, kW, 3}, normalization("half"), {.pad_crop = 2}, 5);
  const auto key = [](const AugmentChoice& c) {
    return std::tuple(c.shift_y, c.shift_x, c.flip, c.cut_y, c.cut_x);
  };
  std::map<std::pair<int64_t, int64_t>, int> places;
  int flips = 0;
  int other_epoch = 0;
  int other_seed = 0;
  constexpr int kCount = 2500;
  for (int64_t index = 0; index < kCount; ++index) {
    const AugmentChoice choice = transform.choose(3, index);
    CHECK(key(choice) == key(transform.choose(3, index)));
    other_epoch += key(choice) != key(transform.choose(4, index)) ? 1 : 0;
    other_seed += key(choice) != key(reseeded.choose(3, index)) ? 1 : 0;
    flips += choice.flip ? 1 : 0;
    ++places[{choice.shift_y, choice.shift_x}];
    const AugmentChoice still = no_flip.choose(3, index);
    CHECK_FALSE(still.flip);
    CHECK(still.shift_x == choice.shift_x);
  }
  CHECK(places.size() == 25);
  for (const auto& entry : places) {
    CHECK(entry.second > 60);
    CHECK(entry.second < 145);
  }
  CHECK(flips > kCount / 2 - 130);
  CHECK(flips < kCount / 2 + 130);
  CHECK(other_epoch > kCount * 9 / 10);
  CHECK(other_seed > kCount * 9 / 10);
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

TEST_CASE("a transform rejects what does not fit the image") {
  const auto message = [](const Shape& image, const Augmentation& augmentation) {
    return error_message([&] { Transform(image, normalization("half"), augmentation); });
  };
  CHECK(message({8, 8, 4}, {}) ==
        "transform: images are [8,8,4], expected [H,W,C] with 1 to 3 channels");
  CHECK(message({8, 8}, {}) ==
        "transform: images are [8,8], expected [H,W,C] with 1 to 3 channels");
  CHECK(message({8, 6, 3}, {.pad_crop = 6}) ==
        "augment: a crop border of 6 does not fit images of 8x6, use 0 to 5");
  CHECK(message({8, 6, 3}, {.cutout = -1}) ==
        "augment: a cutout of -1 does not fit images of 8x6, use 0 to 6");
}

}  // namespace
}  // namespace diagrad
