#include "diagrad/data/augmentation.h"

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <set>

#include "diagrad/data/loader.h"
#include "diagrad/data/shapes.h"
#include "diagrad/data/transform.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::Geometry;
using data::parse_augmentations;
using data::Sample;
using testing::error_message;
using Words = std::vector<std::string>;

constexpr int64_t kH = 11;
constexpr int64_t kW = 9;

/// FNV-1a over the bytes of three shuffled epochs.
uint64_t hash_of_epochs(const Words& steps) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](const Tensor& tensor) {
    const auto* bytes = static_cast<const unsigned char*>(tensor.raw_data());
    for (int64_t i = 0; i < tensor.numel() * size_of(tensor.dtype()); ++i) {
      hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    }
  };
  const data::DatasetPtr set = data::make_shapes({.size = 20, .train = 50, .test = 1}).train;
  data::Loader loader(
      set, {.batch = 16, .shuffle = true, .seed = 7, .augmentations = parse_augmentations(steps)});
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    loader.start(epoch);
    for (data::Batch batch; loader.next(batch);) {
      mix(batch.images);
      mix(batch.target("label").values);
    }
  }
  return hash;
}

TEST_CASE("images and random choices are, bit for bit, those of diagrad 0.1") {
  CHECK(hash_of_epochs({}) == 0x1d252e54cc5ff3c6ULL);
  CHECK(hash_of_epochs({"pad-crop", "flip"}) == 0xd7b8d71d29d03a14ULL);
  CHECK(hash_of_epochs({"pad-crop:border=2", "flip", "cutout:size=5"}) == 0x448e319ff44ec123ULL);
  CHECK(hash_of_epochs({"flip"}) == 0x63e9d831d480a906ULL);
  CHECK(hash_of_epochs({"cutout:size=6"}) == 0xfe8e5e368e62ab29ULL);
  CHECK(hash_of_epochs({"pad-crop:border=3", "cutout"}) == 0x8e4e400ba2c42322ULL);
}

TEST_CASE("every augmentation is complete and named once") {
  std::set<std::string> names;
  for (const data::AugmentationInfo& info : data::augmentations()) {
    CAPTURE(info.name);
    CHECK(names.insert(info.name).second);
    CHECK(info.name != "none");
    CHECK(!info.help.empty());
    CHECK(parse_augmentations({info.name}).size() == 1);
  }
  for (const char* name : {"cutout", "flip", "pad-crop"}) CHECK(names.count(name) == 1);
}

/// A bright rectangle on black; mask, box and label of the box belong to it. Every fourth image has
/// none.
class Rectangles : public data::Dataset {
 public:
  Rectangles()
      : Dataset({.name = "rectangles",
                 .image = {kH, kW, 3},
                 .classes = {"rectangle"},
                 .targets = {data::mask_target("1 within"), data::boxes_target(),
                             data::box_label_target()},
                 .normalization = "half"}) {}
  int64_t size() const override { return 200; }
  std::string source(int64_t index) const override { return "image " + std::to_string(index); }
  void read(int64_t index, Sample& sample) const override {
    sample.start(info(), info().image);
    std::fill(sample.pixels.begin(), sample.pixels.end(), uint8_t{0});
    auto& mask = sample.values<uint8_t>("mask");
    mask.assign(kH * kW, 0);
    if (index % 4 == 3) return;
    RandomStream random(3, static_cast<uint64_t>(index));
    const int64_t top = random.below(kH);
    const int64_t bottom = top + 1 + random.below(kH - top);
    const int64_t left = random.below(kW);
    const int64_t right = left + 1 + random.below(kW - left);
    for (int64_t y = top; y < bottom; ++y) {
      for (int64_t x = left; x < right; ++x) {
        mask[static_cast<size_t>(y * kW + x)] = 1;
        std::fill_n(sample.pixels.begin() + (y * kW + x) * 3, 3, uint8_t{255});
      }
    }
    for (const int64_t edge : {left, top, right, bottom}) {
      sample.values<float>("boxes").push_back(static_cast<float>(edge));
    }
    sample.values<int64_t>("box_label").push_back(0);
  }
};

/// Left, top, right, bottom of what is 1; empty where nothing is.
std::vector<float> box_around(const Tensor& mask) {
  const int64_t width = mask.size(2);
  std::vector<float> box{1e9F, 1e9F, 0.0F, 0.0F};
  for (int64_t i = 0; i < mask.numel(); ++i) {
    if (mask.data<uint8_t>()[i] == 0) continue;
    const auto y = static_cast<float>(i / width);
    const auto x = static_cast<float>(i % width);
    box = {std::min(box[0], x), std::min(box[1], y), std::max(box[2], x + 1),
           std::max(box[3], y + 1)};
  }
  return box[2] > 0.0F ? box : std::vector<float>();
}

/// Every image of an epoch, alone in its batch.
template <typename Check>
void for_each_image(const Words& steps, Check check) {
  data::Loader loader(std::make_shared<Rectangles>(),
                      {.batch = 1, .augmentations = parse_augmentations(steps)});
  loader.start(1);
  for (data::Batch batch; loader.next(batch);) check(batch);
}

std::vector<float> boxes_of(const data::Batch& batch) {
  const Tensor& boxes = batch.target("boxes").values;
  CHECK(batch.target("box_label").values.size(0) == boxes.size(0));
  return {boxes.data<float>(), boxes.data<float>() + boxes.numel()};
}

/// The mask is where the image is bright, and the box around it.
void check_moved_together(const Words& steps) {
  int64_t moved = 0;
  int64_t dropped = 0;
  for_each_image(steps, [&](const data::Batch& batch) {
    const Tensor& mask = batch.target("mask").values;
    REQUIRE(mask.numel() * 3 == batch.images.numel());
    for (int64_t i = 0; i < mask.numel(); ++i) {
      REQUIRE((batch.images.data<float>()[i * 3] > 0.0F) == (mask.data<uint8_t>()[i] == 1));
    }
    REQUIRE(boxes_of(batch) == box_around(mask));
    Sample before;
    Rectangles().read(batch.indices[0], before);
    moved += boxes_of(batch) != before.values<float>("boxes") ? 1 : 0;
    dropped += boxes_of(batch).size() < before.values<float>("boxes").size() ? 1 : 0;
  });
  CHECK(moved > 50);
  if (steps.front() == "pad-crop:border=8") CHECK(dropped > 0);
}

TEST_CASE("a geometric augmentation moves image, mask and boxes, another one the image alone") {
  for (const data::AugmentationInfo& info : data::augmentations()) {
    CAPTURE(info.name);
    const std::string item = info.name == "cutout" ? "cutout:size=5" : info.name;
    const auto step = parse_augmentations({item}).front().step;
    if (dynamic_cast<const data::GeometricAugmentation*>(step.get()) != nullptr) {
      check_moved_together({item});
      continue;
    }
    for_each_image({item}, [&](const data::Batch& batch) {
      Sample before;
      Rectangles().read(batch.indices[0], before);
      const Tensor& mask = batch.target("mask").values;
      CHECK(std::memcmp(mask.raw_data(), before.values<uint8_t>("mask").data(), kH * kW) == 0);
      CHECK(boxes_of(batch) == before.values<float>("boxes"));
    });
  }
  check_moved_together({"pad-crop:border=8", "flip"});
  check_moved_together({"flip", "pad-crop:border=3", "pad-crop:border=2"});
}

TEST_CASE("what a step draws does not depend on the other steps, but on seed, epoch and image") {
  const auto map_of = [](const Words& steps, uint64_t seed, int64_t epoch, int64_t index) {
    const data::Transform transform({32, 32, 3}, data::normalization("half"),
                                    parse_augmentations(steps), seed);
    Geometry geometry;
    transform.choose({32, 32}, epoch, index, geometry);
    const Geometry::PixelMap map = geometry.pixel_map().value();
    return std::vector<int64_t>{map.y0, map.x0, map.xx};
  };
  std::map<std::vector<int64_t>, int> places;
  int flips = 0;
  int other_epoch = 0;
  int other_seed = 0;
  int other_crop = 0;
  constexpr int kCount = 2500;
  for (int64_t index = 0; index < kCount; ++index) {
    const auto crop = map_of({"pad-crop:border=2"}, 5, 3, index);
    const auto both = map_of({"pad-crop:border=2", "flip"}, 5, 3, index);
    const auto flip = map_of({"flip"}, 5, 3, index);
    const auto twice = map_of({"pad-crop:border=2", "pad-crop:border=2"}, 5, 3, index);
    CHECK(both[0] == crop[0]);
    CHECK(both[2] == flip[2]);
    ++places[crop];
    flips += flip[2] < 0 ? 1 : 0;
    other_epoch += both != map_of({"pad-crop:border=2", "flip"}, 5, 4, index) ? 1 : 0;
    other_seed += both != map_of({"pad-crop:border=2", "flip"}, 6, 3, index) ? 1 : 0;
    other_crop += twice[0] != 2 * crop[0] || twice[1] != 2 * crop[1] ? 1 : 0;
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
  CHECK(other_crop > kCount * 9 / 10);
}

/// Adds 10 to every byte: the mean of an image says that it ran, and before the normalisation.
class Brighter : public data::ByteAugmentation {
 public:
  void change(uint8_t* pixels, const data::ImageSize& size, int64_t channels,
              RandomStream& /*random*/) const override {
    for (int64_t i = 0; i < size.height * size.width * channels; ++i) {
      pixels[i] = static_cast<uint8_t>(pixels[i] + 10);
    }
  }
};

TEST_CASE("a step on bytes sees the moved image before the normalisation") {
  const std::vector<data::AugmentationStep> crop = parse_augmentations({"pad-crop:border=2"});
  std::vector<data::AugmentationStep> both = crop;
  both.insert(both.begin(), {std::make_shared<Brighter>(), 100});
  const data::Normalization& half = data::normalization("half");
  const data::Transform plain({4, 4, 1}, half, crop);
  const data::Transform brighter({4, 4, 1}, half, both);
  const std::vector<uint8_t> pixels(16, 100);
  for (int64_t index = 0; index < 20; ++index) {
    Geometry geometry;
    plain.choose({4, 4}, 0, index, geometry);
    std::vector<float> before(16);
    std::vector<float> after(16);
    plain.apply(pixels.data(), geometry, 0, index, before.data());
    brighter.apply(pixels.data(), geometry, 0, index, after.data());
    for (size_t i = 0; i < 16; ++i) {
      CHECK(after[i] - before[i] == doctest::Approx(20.0 / 255.0).epsilon(1e-5));
    }
  }
}

TEST_CASE("wrong spellings of augmentations are refused with the right one") {
  const auto message = [](const Words& steps) {
    return error_message([&] { parse_augmentations(steps); });
  };
  CHECK(parse_augmentations({"none"}).empty());
  CHECK(parse_augmentations({}).empty());
  CHECK(message({"pad-crop=4"}) ==
        "augment: 'pad-crop=4' is not a step with options, write it as pad-crop:border=4");
  CHECK(message({"flip", "cutout=16"}) ==
        "augment: 'cutout=16' is not a step with options, write it as cutout:size=16");
  CHECK(message({"flip=1"}) == "augment: 'flip=1' has a value, but flip has no options");
  CHECK(message({"flop"}).rfind("augment: 'flop' is unknown here, did you mean 'flip'?", 0) == 0);
  CHECK(message({"flip", "none"}).find("or none alone") != std::string::npos);
  CHECK(message({""}).rfind("augment: '' is unknown here", 0) == 0);
  CHECK(message({"cutout:size=4", "x=1"}).find("options of a step are joined by +") !=
        std::string::npos);
  CHECK(message({"cutout:size=4,x=1"}) ==
        "augment: size=4,x=1 of 'cutout' must be an integer from 1 to 4096");
  CHECK(message({"cutout:size=4+x=1"}) ==
        "augment: 'cutout' has no option 'x' (its options: size)");
  CHECK(message({"cutout:size"}) ==
        "augment: 'size' in 'cutout:size' is not option=value, write it as "
        "cutout:option=value+option=value");
  CHECK(message({"pad-crop:border=0"}) ==
        "augment: border=0 of 'pad-crop' must be an integer from 1 to 4096");
  CHECK(message(Words(101, "flip")) == "augment: 101 steps are more than the 100 allowed");
}

}  // namespace
}  // namespace diagrad
