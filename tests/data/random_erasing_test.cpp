#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "diagrad/data/augmentation.h"
#include "diagrad/data/transform.h"
#include "tests/support/op_case.h"

namespace diagrad::data {
namespace {

constexpr int64_t kH = 24;
constexpr int64_t kW = 40;
constexpr int64_t kC = 3;
constexpr float kKept = 99.0F;  // no value that the step writes

/// What was erased of an image: the bounding box and the values in it.
struct Erased {
  int64_t top = kH;
  int64_t left = kW;
  int64_t bottom = 0;
  int64_t right = 0;
  std::vector<float> values;

  bool empty() const { return values.empty(); }
  int64_t height() const { return bottom - top; }
  int64_t width() const { return right - left; }
};

/// Draws for image `index` as a Transform does.
Erased erase(const std::string& item, int64_t index, uint64_t seed = 5) {
  const AugmentationStep step = parse_augmentations({item}).front();
  RandomStream random(seed, stream_id("augment", 0, static_cast<uint64_t>(index)), step.first_draw);
  std::vector<float> values(kH * kW * kC, kKept);
  dynamic_cast<const ValueAugmentation&>(*step.step).change(values.data(), {kH, kW}, kC, random);
  Erased result;
  for (int64_t i = 0; i < kH * kW * kC; ++i) {
    const float value = values[static_cast<size_t>(i)];
    if (value == kKept) continue;
    const int64_t y = i / (kW * kC);
    const int64_t x = i / kC % kW;
    result.top = std::min(result.top, y);
    result.left = std::min(result.left, x);
    result.bottom = std::max(result.bottom, y + 1);
    result.right = std::max(result.right, x + 1);
    result.values.push_back(value);
  }
  return result;
}

TEST_CASE("random erasing replaces one rectangle by the mean colour, area and aspect in range") {
  std::set<int64_t> tops;
  std::set<int64_t> lefts;
  double smallest = 1.0;
  double largest = 0.0;
  double flattest = 1.0;
  double tallest = 1.0;
  for (int64_t index = 0; index < 3000; ++index) {
    const Erased erased = erase("random-erasing:probability=1", index);
    REQUIRE_FALSE(erased.empty());
    const int64_t pixels = erased.height() * erased.width();
    REQUIRE(std::ssize(erased.values) == pixels * kC);  // a full rectangle, nothing beside it
    REQUIRE(std::all_of(erased.values.begin(), erased.values.end(),
                        [](float value) { return value == 0.0F; }));
    REQUIRE(erased.height() < kH);
    REQUIRE(erased.width() < kW);
    const double area = static_cast<double>(pixels) / static_cast<double>(kH * kW);
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    const double aspect =
        static_cast<double>(erased.height()) / static_cast<double>(erased.width());
    flattest = std::min(flattest, aspect);
    tallest = std::max(tallest, aspect);
    tops.insert(erased.top);
    lefts.insert(erased.left);
  }
  // Sides are rounded to pixels.
  CHECK((smallest > 0.012 && smallest < 0.025));
  CHECK((largest > 0.31 && largest < 0.36));
  CHECK((flattest > 0.24 && flattest < 0.32));
  CHECK((tallest > 3.1 && tallest < 4.1));
  CHECK(tops.size() > 20);
  CHECK(lefts.size() > 34);
}

TEST_CASE("random erasing of one image, draw by draw") {
  const AugmentationStep step = parse_augmentations({"random-erasing"}).front();
  const auto draws = [&](int64_t index) {
    return RandomStream(5, stream_id("augment", 0, static_cast<uint64_t>(index)), step.first_draw);
  };
  int changed = 0;
  for (int64_t index = 0; index < 200; ++index) {
    RandomStream random = draws(index);
    const Erased erased = erase("random-erasing:min-area=0.1+max-area=0.1", index);
    if (random.uniform() >= 0.25) {
      CHECK(erased.empty());
      continue;
    }
    ++changed;
    random.uniform();  // the area, of a range without width
    const double aspect = std::exp(std::log(0.3) * (1.0 - 2.0 * random.uniform()));
    const auto height = static_cast<int64_t>(std::round(std::sqrt(96.0 * aspect)));
    const auto width = static_cast<int64_t>(std::round(std::sqrt(96.0 / aspect)));
    CHECK(erased.height() == height);
    CHECK(erased.width() == width);
    CHECK(erased.top == random.below(kH - height + 1));
    CHECK(erased.left == random.below(kW - width + 1));
  }
  CHECK(changed > 30);
  CHECK(changed < 75);
}

TEST_CASE("random erasing happens with its probability, by default to a quarter of the images") {
  const auto share = [](const std::string& item) {
    int count = 0;
    for (int64_t index = 0; index < 2000; ++index) count += erase(item, index).empty() ? 0 : 1;
    return count / 2000.0;
  };
  CHECK(share("random-erasing:probability=0") == 0.0);
  CHECK(std::abs(share("random-erasing") - 0.25) < 0.04);
  CHECK(std::abs(share("random-erasing:probability=0.8") - 0.8) < 0.04);
}

TEST_CASE("modes of random erasing: noise in each value, or one random colour") {
  double sum = 0.0;
  double squares = 0.0;
  int64_t count = 0;
  std::set<float> colors;
  for (int64_t index = 0; index < 300; ++index) {
    const Erased noise = erase("random-erasing:probability=1+mode=pixel", index);
    const std::set<float> distinct(noise.values.begin(), noise.values.end());
    CHECK(distinct.size() + 2 >= noise.values.size());
    for (const float value : noise.values) {
      sum += value;
      squares += static_cast<double>(value) * value;
      ++count;
    }
    const Erased plain = erase("random-erasing:probability=1+mode=rand", index);
    REQUIRE(plain.values.size() >= kC);
    colors.insert(plain.values[0]);
    CHECK(plain.values[0] != plain.values[1]);
    for (size_t i = kC; i < plain.values.size(); ++i) {
      REQUIRE(plain.values[i] == plain.values[i - kC]);
    }
  }
  CHECK(colors.size() == 300);
  CHECK(sum / static_cast<double>(count) == doctest::Approx(0.0).epsilon(0.02));
  CHECK(squares / static_cast<double>(count) == doctest::Approx(1.0).epsilon(0.02));
}

TEST_CASE("random erasing leaves an image alone that no rectangle lies within") {
  const AugmentationStep step = parse_augmentations({"random-erasing:probability=1"}).front();
  const auto& erasing = dynamic_cast<const ValueAugmentation&>(*step.step);
  for (const ImageSize& size : {ImageSize{1, 1}, ImageSize{1, 30}}) {
    std::vector<float> values(static_cast<size_t>(size.height * size.width), kKept);
    for (uint64_t seed = 0; seed < 50; ++seed) {
      RandomStream random(seed, 1);
      erasing.change(values.data(), size, 1, random);
    }
    CHECK(std::count(values.begin(), values.end(), kKept) == std::ssize(values));
  }
}

TEST_CASE("random erasing works on normalised values: it writes 0 whatever the normalisation") {
  const Transform transform({kH, kW, kC}, normalization("cifar"),
                            parse_augmentations({"random-erasing:probability=1+min-area=0.2"}));
  const std::vector<uint8_t> pixels(kH * kW * kC, 200);
  std::vector<float> out(pixels.size());
  Geometry geometry;
  transform.choose({kH, kW}, 0, 3, geometry);
  transform.apply(pixels.data(), geometry, 0, 3, out.data());
  CHECK(std::count(out.begin(), out.end(), 0.0F) > 100);
}

TEST_CASE("options of random erasing that contradict each other are refused") {
  CHECK(testing::error_message([] {
          parse_augmentations({"random-erasing:min-area=0.5"});
        }).find("augment: min-area=0.5 of 'random-erasing' is above max-area=0.3333") == 0);
  CHECK(testing::error_message([] {
          parse_augmentations({"random-erasing:mode=black"});
        }).find("const, pixel, rand") != std::string::npos);
  CHECK_FALSE(
      testing::error_message([] { parse_augmentations({"random-erasing:min-aspect=0"}); }).empty());
}

}  // namespace
}  // namespace diagrad::data
