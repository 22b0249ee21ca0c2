#include "diagrad/data/shapes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "diagrad/data/outline.h"
#include "diagrad/data/registry.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::make_shapes;
using data::open_dataset;
using data::Sample;
using testing::error_message;

Sample image(const data::DatasetPtr& dataset, int64_t index) {
  Sample sample;
  dataset->read(index, sample);
  return sample;
}

TEST_CASE("shapes are described in full") {
  const data::DatasetSplits pair = open_dataset("shapes:size=48,train=70,test=30");
  const data::DatasetInfo& info = pair.train->info();
  CHECK(info.name == "shapes");
  CHECK(info.image == Shape{48, 48, 3});
  CHECK(info.class_count() == 10);
  CHECK(std::set<std::string>(info.classes.begin(), info.classes.end()).size() == 10);
  for (const char* target : {"label", "mask", "boxes", "box_label"}) {
    CHECK(info.has_target(target));
  }
  CHECK(pair.train->size() == 70);
  CHECK(pair.test->size() == 30);
  CHECK(pair.test->source(3) == "shapes test, image 3");
}

TEST_CASE("an image of shapes is a function of seed, split and index") {
  const data::DatasetSplits pair = make_shapes({.train = 60, .test = 60});
  const data::DatasetSplits again = make_shapes({.train = 500, .test = 60});
  const data::DatasetSplits other = make_shapes({.train = 60, .test = 60, .seed = 1});
  std::set<std::vector<uint8_t>> different;
  for (int64_t i = 59; i >= 0; --i) {
    const Sample sample = image(pair.train, i);
    CHECK(testing::label_of(sample) == i % 10);
    CHECK(sample.pixels == image(again.train, i).pixels);
    CHECK(different.insert(sample.pixels).second);
    CHECK(different.insert(image(pair.test, i).pixels).second);
    CHECK(different.insert(image(other.train, i).pixels).second);
  }
}

TEST_CASE("mask and box of shapes belong together and fit the image") {
  for (const int64_t size : {16, 32, 67}) {
    const data::DatasetSplits pair = make_shapes({.size = size, .train = 300});
    Sample sample;
    for (int64_t i = 0; i < 300; ++i) {
      CAPTURE(i);
      pair.train->read(i, sample);
      REQUIRE(sample.pixels.size() == static_cast<size_t>(size * size * 3));
      REQUIRE(sample.values<uint8_t>("mask").size() == static_cast<size_t>(size * size));
      CHECK(sample.values<int64_t>("box_label") == std::vector<int64_t>{testing::label_of(sample)});
      std::vector<float> seen{1e9F, 1e9F, 0.0F, 0.0F};
      int64_t area = 0;
      for (int64_t y = 0; y < size; ++y) {
        for (int64_t x = 0; x < size; ++x) {
          const uint8_t value = sample.values<uint8_t>("mask")[static_cast<size_t>(y * size + x)];
          if (value == 0) continue;
          REQUIRE(value == testing::label_of(sample) + 1);
          ++area;
          seen[0] = std::min(seen[0], static_cast<float>(x));
          seen[1] = std::min(seen[1], static_cast<float>(y));
          seen[2] = std::max(seen[2], static_cast<float>(x + 1));
          seen[3] = std::max(seen[3], static_cast<float>(y + 1));
        }
      }
      CHECK(area * 50 > size * size);
      CHECK(area * 2 < size * size);
      CHECK(sample.values<float>("boxes") == seen);
    }
  }
}

TEST_CASE("outlines stay within the unit circle, and distances are distances") {
  for (const data::Outline& outline : data::outlines()) {
    CAPTURE(std::string(outline.name));
    for (float y = -1.5F; y <= 1.5F; y += 0.05F) {
      for (float x = -1.5F; x <= 1.5F; x += 0.05F) {
        const float here = outline.distance({x, y});
        if (x * x + y * y > 1.001F) CHECK(here > 0.0F);
        // A distance changes by no more than the way that was gone.
        const float there = outline.distance({x + 0.01F, y - 0.02F});
        CHECK(std::abs(here - there) < 0.0225F);
      }
    }
  }
}

TEST_CASE("shapes options that make no images are rejected") {
  CHECK(error_message([] { make_shapes({.size = 15}); }) ==
        "shapes: a size of 15 is out of range, use 16 to 1024");
  CHECK(error_message([] { make_shapes({.train = 0}); }) ==
        "shapes: 0 training and 1000 test images, use 1 to 100000000 of each");
  CHECK(error_message([] { open_dataset("shapes:size=2000"); }) ==
        "data: size=2000 of 'shapes' must be an integer from 16 to 1024");
  CHECK(error_message([] { open_dataset("shapes:classes=3"); }) ==
        "data: 'shapes' has no option 'classes' (its options: size, train, test, seed)");
}

}  // namespace
}  // namespace diagrad
