#include "diagrad/data/geometry.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::AffineMap;
using data::Geometry;
using testing::error_message;

/// A quarter turn to the left: the old right edge becomes the new top.
AffineMap quarter_turn(double height, double width) {
  return {.size = {static_cast<int64_t>(width), static_cast<int64_t>(height)},
          .yy = 0.0,
          .yx = 1.0,
          .xy = -1.0,
          .xx = 0.0,
          .x0 = width};
}

/// To another size: new pixel (i, j) lies at the same share of the image.
AffineMap resize(double from_height, double from_width, int64_t height, int64_t width) {
  return {.size = {height, width},
          .yy = from_height / static_cast<double>(height),
          .xx = from_width / static_cast<double>(width)};
}

std::vector<uint8_t> moved(const Geometry& geometry, const std::vector<uint8_t>& image,
                           bool as_map) {
  std::vector<uint8_t> out(static_cast<size_t>(geometry.size().height * geometry.size().width), 99);
  if (as_map) {
    geometry.move_map<uint8_t>(image.data(), 7, out.data());
  } else {
    geometry.move_image(image.data(), 1, out.data());
  }
  return out;
}

TEST_CASE("a turn by 90 degrees changes height and width, and four of them nothing") {
  const std::vector<uint8_t> image{1, 2, 3, 4, 5, 6};  // 2 x 3
  Geometry geometry({2, 3});
  geometry.add(quarter_turn(2, 3));
  CHECK(geometry.size() == data::ImageSize{3, 2});
  CHECK(geometry.pixel_map().has_value());
  for (const bool as_map : {false, true}) {
    CHECK(moved(geometry, image, as_map) == std::vector<uint8_t>{3, 6, 2, 5, 1, 4});
  }
  std::vector<float> boxes{2, 0, 3, 1};  // around the 3
  CHECK(geometry.move_boxes(boxes) == std::vector<int64_t>{0});
  CHECK(boxes == std::vector<float>{0, 0, 1, 1});
  for (const int turn : {1, 2, 3}) {
    geometry.add(turn % 2 == 1 ? quarter_turn(3, 2) : quarter_turn(2, 3));
  }
  for (const bool as_map : {false, true}) CHECK(moved(geometry, image, as_map) == image);
}

TEST_CASE("pixels that leave the image on the way stay lost after turns and flips") {
  const std::vector<uint8_t> image{1, 2, 3, 4, 5, 6};
  Geometry geometry({2, 3});
  geometry.add({.size = {2, 3}, .x0 = 1.0});  // 2 3 . / 5 6 .
  geometry.add(quarter_turn(2, 3));           // . . / 3 6 / 2 5
  geometry.add({.size = {3, 2}, .yy = -1.0, .y0 = 3.0});
  geometry.add({.size = {3, 2}, .y0 = 1.0});  // 3 6 / . . / . .
  CHECK(moved(geometry, image, false) == std::vector<uint8_t>{3, 6, 0, 0, 0, 0});
  CHECK(moved(geometry, image, true) == std::vector<uint8_t>{3, 6, 7, 7, 7, 7});
  std::vector<float> boxes{0, 0, 1, 2, 1, 0, 2, 2, 2, 0, 3, 1};  // columns 0 and 1, the 3
  CHECK(geometry.move_boxes(boxes) == std::vector<int64_t>{2});
  CHECK(boxes == std::vector<float>{0, 0, 1, 1});
}

TEST_CASE("whole pixels shown by interpolation are the pixels of the fast path") {
  std::vector<uint8_t> image(7 * 5);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(i * 7 + 1);
  Geometry whole({7, 5});
  whole.add({.size = {6, 8}, .xx = -1.0, .x0 = 6.0});
  Geometry twice({7, 5});
  twice.add({.size = {6, 8}, .xx = -1.0, .x0 = 6.0});
  twice.add({.size = {6, 8}, .y0 = 0.5});
  twice.add({.size = {6, 8}, .y0 = -0.5});
  CHECK(whole.pixel_map().has_value());
  CHECK_FALSE(twice.pixel_map().has_value());
  const std::vector<uint8_t> a = moved(whole, image, false);
  const std::vector<uint8_t> b = moved(twice, image, false);
  // The last row lies outside for half a pixel on the way.
  CHECK(std::equal(a.begin() + 8, a.end() - 8, b.begin() + 8));
}

TEST_CASE("scaling interpolates the image, takes the nearest of the mask and scales the boxes") {
  const std::vector<uint8_t> image{0, 100, 200, 40};  // 2 x 2
  Geometry geometry({2, 2});
  geometry.add(resize(2, 2, 4, 4));
  CHECK_FALSE(geometry.pixel_map().has_value());
  const std::vector<uint8_t> large = moved(geometry, image, false);
  CHECK(large[0] == 0);
  CHECK(large[1] == 25);
  CHECK(large[2] == 75);
  CHECK(large[3] == 100);
  CHECK(large[5] == 59);  // 9/16 * 0 + 3/16 * (100 + 200) + 1/16 * 40 = 58.75
  const std::vector<uint8_t> mask = moved(geometry, image, true);
  CHECK(mask ==
        std::vector<uint8_t>{0, 0, 100, 100, 0, 0, 100, 100, 200, 200, 40, 40, 200, 200, 40, 40});
  std::vector<float> boxes{0.5F, 1, 2, 2};
  CHECK(geometry.move_boxes(boxes) == std::vector<int64_t>{0});
  CHECK(boxes == std::vector<float>{1, 2, 4, 4});
}

TEST_CASE("a rotation brings no new value into a mask and boxes stay around their objects") {
  constexpr int64_t kSide = 33;
  std::vector<uint8_t> mask(kSide * kSide, 0);
  for (int64_t y = 12; y < 20; ++y) {
    for (int64_t x = 10; x < 24; ++x) mask[static_cast<size_t>(y * kSide + x)] = 3;
  }
  for (const double angle : {0.1, 0.7, 2.0, -1.2}) {
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    constexpr double kMiddle = kSide / 2.0;
    Geometry geometry({kSide, kSide});
    geometry.add({.size = {kSide, kSide},
                  .yy = c,
                  .yx = s,
                  .y0 = kMiddle - c * kMiddle - s * kMiddle,
                  .xy = -s,
                  .xx = c,
                  .x0 = kMiddle + s * kMiddle - c * kMiddle});
    const std::vector<uint8_t> turned = moved(geometry, mask, true);
    std::vector<float> box{10, 12, 24, 20};
    CHECK(geometry.move_boxes(box).size() == 1);
    std::set<uint8_t> values;
    int64_t area = 0;
    for (int64_t i = 0; i < kSide * kSide; ++i) {
      values.insert(turned[static_cast<size_t>(i)]);
      if (turned[static_cast<size_t>(i)] != 3) continue;
      ++area;
      const auto y = static_cast<float>(i / kSide) + 0.5F;
      const auto x = static_cast<float>(i % kSide) + 0.5F;
      CHECK((x > box[0] && x < box[2] && y > box[1] && y < box[3]));
    }
    CHECK(values == std::set<uint8_t>{0, 3, 7});
    CHECK(std::abs(area - 8 * 14) < 12);
  }
}

TEST_CASE("a geometric step that makes no image is refused") {
  Geometry geometry({4, 5});
  CHECK(error_message([&] {
          geometry.add({.size = {0, 5}});
        }) == "augment: an image of 4x5 becomes one of 0x5, expected sides from 1 to 65536");
  CHECK(error_message([&] {
          geometry.add({.size = {4, 5}, .yy = 0.0});
        }) == "augment: a geometric step gives [0, 0, 0; 0, 1, 0], which has no inverse");
  CHECK(error_message([&] {
          geometry.add({.size = {4, 5}, .x0 = std::nan("")});
        }) == "augment: a geometric step gives [1, 0, 0; 0, 1, nan], which has no inverse");
}

}  // namespace
}  // namespace diagrad
