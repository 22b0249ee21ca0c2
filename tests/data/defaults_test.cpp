#include <doctest/doctest.h>

#include <map>
#include <string>

#include "diagrad/data/augmentation.h"
#include "diagrad/data/loader.h"
#include "diagrad/data/registry.h"
#include "diagrad/data/shapes.h"
#include "diagrad/data/transform.h"
#include "tests/data/support.h"

namespace diagrad::data {
namespace {

// What a caller who says nothing gets. Other tests say what they need, so that a changed default
// shows here alone.

TEST_CASE("defaults of the loader: 128 images in the order of the set, the last batch kept") {
  const auto set = std::make_shared<testing::CountingDataset>(300, Shape{4, 4, 3}, 300);
  Loader loader(set, {});
  CHECK(loader.batch_count() == 3);
  loader.start(5);
  Batch batch;
  CHECK(batch.number == 0);
  REQUIRE(loader.next(batch));
  CHECK(batch.size() == 128);
  CHECK(batch.indices.front() == 0);
  CHECK(batch.indices.back() == 127);
  const LoaderOptions& options = loader.options();
  CHECK_FALSE(options.shuffle);
  CHECK_FALSE(options.drop_last);
  CHECK(options.workers == 0);
  CHECK(options.prefetch == 4);
  CHECK(options.seed == 0);
  CHECK(options.augmentations.empty());
  CHECK(options.normalization.empty());
}

TEST_CASE("defaults of shapes: 5,000 and 1,000 images of 32x32, by --data shapes as well") {
  const DatasetSplits made = make_shapes({});
  const DatasetSplits opened = open_dataset("shapes");
  const DatasetSplits written = make_shapes({.size = 32, .train = 5000, .test = 1000, .seed = 0});
  CHECK(made.train->size() == 5000);
  CHECK(made.test->size() == 1000);
  Sample expected;
  written.train->read(17, expected);
  for (const DatasetSplits& splits : {made, opened}) {
    CHECK(splits.train->size() == 5000);
    CHECK(splits.test->size() == 1000);
    CHECK(splits.train->info().image == Shape{32, 32, 3});
    Sample sample;
    splits.train->read(17, sample);
    CHECK(sample.pixels == expected.pixels);
  }
}

TEST_CASE("defaults of a target: one i64 value that is no class, and 0 outside the image") {
  const TargetInfo target;
  CHECK(target.dtype == DType::i64);
  CHECK(target.form == TargetForm::fixed);
  CHECK(target.shape == Shape{});
  CHECK_FALSE(target.class_index);
  CHECK(target.outside == 0);
  CHECK(mask_target("help").outside == 0);
}

TEST_CASE("defaults of a geometric change: none, and an image of no size") {
  const AffineMap map;
  CHECK(map.size == ImageSize{0, 0});
  CHECK(map.yy == 1.0);
  CHECK(map.yx == 0.0);
  CHECK(map.y0 == 0.0);
  CHECK(map.xy == 0.0);
  CHECK(map.xx == 1.0);
  CHECK(map.x0 == 0.0);
  const Geometry::PixelMap pixels;
  CHECK((pixels.top == 0 && pixels.bottom == 0 && pixels.left == 0 && pixels.right == 0));
  CHECK((pixels.yy == 1 && pixels.yx == 0 && pixels.y0 == 0));
  CHECK((pixels.xy == 0 && pixels.xx == 1 && pixels.x0 == 0));
  CHECK(AugmentationStep{}.first_draw == 0);
}

TEST_CASE("defaults of augmentation: a border of 4, a square of 16, the first seed") {
  std::map<std::string, std::string> found;
  for (const AugmentationInfo& info : augmentations()) {
    for (const Option& option : info.options) {
      found[info.name + ":" + option.name] = option.default_value;
    }
  }
  CHECK(found.at("pad-crop:border") == "4");
  CHECK(found.at("cutout:size") == "16");
  CHECK(found.at("random-erasing:probability") == "0.25");
  CHECK(found.at("random-erasing:min-area") == "0.02");
  CHECK(parse_float("", found.at("random-erasing:max-area")) == 1.0 / 3.0);
  CHECK(found.at("random-erasing:min-aspect") == "0.3");
  CHECK(found.at("random-erasing:mode") == "const");
  const auto steps = parse_augmentations({"pad-crop"});
  const std::vector<uint8_t> pixels(8 * 8 * 3, 200);
  std::vector<float> by_default(pixels.size());
  std::vector<float> written(pixels.size());
  for (const bool is_written : {false, true}) {
    const Transform transform = is_written ? Transform({8, 8, 3}, normalization("half"), steps, 0)
                                           : Transform({8, 8, 3}, normalization("half"), steps);
    Geometry geometry;
    transform.choose({8, 8}, 1, 2, geometry);
    transform.apply(pixels.data(), geometry, 1, 2, (is_written ? written : by_default).data());
  }
  CHECK(by_default == written);
}

}  // namespace
}  // namespace diagrad::data
