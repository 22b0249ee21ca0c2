#include "diagrad/data/batch.h"

#include <doctest/doctest.h>

#include <limits>

#include "diagrad/core/error.h"
#include "diagrad/data/loader.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::Batch;
using data::Loader;
using data::Sample;
using data::TargetForm;
using data::TargetInfo;
using testing::error_message;

/// Image i has i % 3 boxes, two values of f32 and a map; its size is [4,5], or grows with i.
class Mixed : public data::Dataset {
 public:
  explicit Mixed(bool one_size)
      : Dataset({.name = "mixed",
                 .image = {one_size ? 4 : 0, one_size ? 5 : 0, 1},
                 .classes = {"a", "b", "c"},
                 .targets = {{.name = "colour", .dtype = DType::f32, .shape = {2}},
                             data::boxes_target(),
                             data::box_label_target(),
                             {.name = "depth", .dtype = DType::f32, .form = TargetForm::map},
                             {.name = "words", .form = TargetForm::ragged}},
                 .normalization = "half"}),
        one_size_(one_size) {}

  int64_t size() const override { return 8; }
  std::string source(int64_t index) const override {
    return "mixed, image " + std::to_string(index);
  }
  void read(int64_t index, Sample& sample) const override {
    const int64_t height = one_size_ ? 4 : 4 + index;
    sample.start(info(), {height, 5, 1});
    std::fill(sample.pixels.begin(), sample.pixels.end(), uint8_t{0});
    const auto value = static_cast<float>(index);
    sample.values<float>("colour").assign({value, value + 0.5F});
    for (int64_t k = 0; k < index % 3; ++k) {
      const auto left = static_cast<float>(k);
      const std::vector<float> box{left, 1.0F, left + 1.5F, 3.0F};
      auto& boxes = sample.values<float>("boxes");
      boxes.insert(boxes.end(), box.begin(), box.end());
      sample.values<int64_t>("box_label").push_back(k);
    }
    sample.values<float>("depth").assign(static_cast<size_t>(height * 5), value);
    sample.values<int64_t>("words").assign(static_cast<size_t>(index), index);
    if (damage) damage(index, sample);
  }

  std::function<void(int64_t, Sample&)> damage;

 private:
  bool one_size_;
};

template <typename T>
std::vector<T> values_of(const Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.numel()};
}

Batch first_batch(std::shared_ptr<Mixed> set, int64_t size) {
  Loader loader(std::move(set), {.batch = size});
  Batch batch;
  loader.start(0);
  if (!loader.next(batch)) FAIL("no batch");
  return batch;
}

TEST_CASE("targets of every form and type are collated in the order of the data set") {
  const Batch batch = first_batch(std::make_shared<Mixed>(true), 5);
  CHECK(batch.size() == 5);
  CHECK(batch.targets.size() == 5);
  CHECK(batch.targets.front().name == "colour");
  const Tensor& colour = batch.target("colour").values;
  CHECK(colour.shape() == Shape{5, 2});
  CHECK(values_of<float>(colour) ==
        std::vector<float>{0, 0.5F, 1, 1.5F, 2, 2.5F, 3, 3.5F, 4, 4.5F});
  CHECK_FALSE(batch.target("colour").offsets.defined());
  const Tensor& depth = batch.target("depth").values;
  CHECK(depth.shape() == Shape{5, 4, 5});
  CHECK(depth.data<float>()[3 * 20 + 7] == 3.0F);
}

TEST_CASE("ragged targets are rows and offsets, also where images have none") {
  const Batch batch = first_batch(std::make_shared<Mixed>(true), 5);
  const data::BatchTarget& boxes = batch.target("boxes");
  CHECK(values_of<int64_t>(boxes.offsets) == std::vector<int64_t>{0, 0, 1, 3, 3, 4});
  CHECK(boxes.values.shape() == Shape{4, 4});
  CHECK(values_of<float>(boxes.values) == std::vector<float>{0, 1, 1.5F, 3, 0, 1, 1.5F, 3,  //
                                                             1, 1, 2.5F, 3, 0, 1, 1.5F, 3});
  CHECK(batch.target("box_label").values.shape() == Shape{4});
  CHECK(values_of<int64_t>(batch.target("box_label").values) == std::vector<int64_t>{0, 0, 1, 0});
  CHECK(values_of<int64_t>(batch.target("words").offsets) ==
        std::vector<int64_t>{0, 0, 1, 3, 6, 10});
  const Batch none = first_batch(std::make_shared<Mixed>(true), 1);
  CHECK(none.target("boxes").values.shape() == Shape{0, 4});
  CHECK(values_of<int64_t>(none.target("boxes").offsets) == std::vector<int64_t>{0, 0});
}

TEST_CASE("boxes are clipped to the image, and dropped with their labels when nothing is left") {
  const auto set = std::make_shared<Mixed>(true);
  set->damage = [](int64_t index, Sample& sample) {
    if (index != 2) return;
    sample.values<float>("boxes") = {3, 1, 3, 2, -2, 2, 2, 9};  // empty; too large
  };
  const Batch batch = first_batch(set, 3);
  CHECK(values_of<int64_t>(batch.target("boxes").offsets) == std::vector<int64_t>{0, 0, 1, 2});
  CHECK(values_of<float>(batch.target("boxes").values) ==
        std::vector<float>{0, 1, 1.5F, 3, 0, 2, 2, 4});
  CHECK(values_of<int64_t>(batch.target("box_label").values) == std::vector<int64_t>{0, 1});
}

TEST_CASE("a target that is not there is refused with those that are") {
  const Batch batch = first_batch(std::make_shared<Mixed>(true), 2);
  CHECK(error_message([&] { batch.target("label"); }) ==
        "batch: no target 'label' (targets of the data set: colour, boxes, box_label, depth, "
        "words)");
  CHECK(error_message([] { Batch().target("label"); }) ==
        "batch: no target 'label' (the data set has none)");
  CHECK(error_message([] { Mixed(true).info().target_index("mask"); }) ==
        "data: mixed has no target 'mask' (its targets: colour, boxes, box_label, depth, words)");
  Sample sample;
  Mixed(true).read(1, sample);
  CHECK(error_message([&] { sample.values<float>("mask"); }) ==
        "sample: no target 'mask' (its targets: colour, boxes, box_label, depth, words)");
  CHECK(error_message([&] { sample.values<int64_t>("colour"); }) ==
        "sample: target 'colour' is not i64");
}

TEST_CASE("images of different sizes fit a batch of one, a larger one names two of them") {
  for (const int workers : {0, 2}) {
    Loader loader(std::make_shared<Mixed>(false), {.batch = 1, .workers = workers});
    loader.start(0);
    int64_t height = 4;
    for (Batch batch; loader.next(batch); ++height) {
      CHECK(batch.images.shape() == Shape{1, height, 5, 1});
      CHECK(batch.target("depth").values.shape() == Shape{1, height, 5});
    }
    CHECK(height == 12);
  }
  try {
    first_batch(std::make_shared<Mixed>(false), 4);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::data);
    CHECK(std::string(error.what()) ==
          "loader: images of a batch differ in size: mixed, image 0 is 4x5 and mixed, image 1 is "
          "5x5; use a batch of 1 or an augmentation that makes them equal");
  }
}

TEST_CASE("reading into the same sample uses its memory again") {
  Sample sample;
  Mixed set(true);
  set.read(2, sample);
  const uint8_t* pixels = sample.pixels.data();
  const float* boxes = sample.values<float>("boxes").data();
  set.read(1, sample);
  CHECK(sample.pixels.data() == pixels);
  CHECK(sample.values<float>("boxes").data() == boxes);
  CHECK(sample.values<float>("boxes").size() == 4);
  CHECK(sample.height == 4);
  CHECK(sample.width == 5);
  CHECK(sample.channels == 1);
}

TEST_CASE("a sample that contradicts its data set is refused with its source") {
  const auto message = [](bool one_size, std::function<void(Sample&)> damage) {
    const auto set = std::make_shared<Mixed>(one_size);
    set->damage = [damage](int64_t index, Sample& sample) {
      if (index == 1) damage(sample);
    };
    return error_message([&] { first_batch(set, 2); });
  };
  const std::string source = "mixed, image 1: ";
  CHECK(message(true, [](Sample& s) { s.height = 5; }) ==
        source + "image is [5,5,1], expected [4,5,1]");
  CHECK(message(false, [](Sample& s) { s.channels = 3; }) ==
        source + "image is [5,5,3], expected [0,0,1] (0: any size)");
  CHECK(message(true, [](Sample& s) { s.pixels.pop_back(); }) ==
        source + "image has 19 bytes, expected 20 for [4,5,1]");
  CHECK(message(true, [](Sample& s) { s.values<float>("colour").push_back(1); }) ==
        source + "colour has 3 values, expected 2 (fixed, [2])");
  CHECK(message(true, [](Sample& s) { s.values<float>("depth").pop_back(); }) ==
        source + "depth has 19 values, expected 20 (map, [])");
  CHECK(message(true, [](Sample& s) { s.values<float>("boxes").push_back(1); }) ==
        source + "boxes has 5 values, expected 4 (ragged, [4])");
  CHECK(message(true, [](Sample& s) { s.values<int64_t>("box_label").push_back(1); }) ==
        source + "box_label has 2 values, expected 1 (ragged, [], a row for each of 'boxes')");
  CHECK(message(true, [](Sample& s) { s.values<int64_t>("box_label")[0] = -1; }) ==
        source + "box_label -1 is outside 0..2");
  CHECK(message(true, [](Sample& s) {
          s.values<float>("boxes")[2] = std::numeric_limits<float>::infinity();
        }) == source + "a box in 'boxes' has the coordinate inf");
}

TEST_CASE("targets that contradict themselves are refused") {
  const auto message = [](const std::vector<TargetInfo>& targets) {
    return error_message([&] { data::check_targets("set", targets); });
  };
  CHECK(message({{.name = ""}}) == "set: a target has no name");
  CHECK(message({{.name = "a"}, {.name = "a"}}) == "set: two targets are called 'a'");
  CHECK(message({{.name = "a", .dtype = DType::f64}}) ==
        "set: target 'a' is f64, expected u8, i64 or f32");
  CHECK(message({{.name = "a", .dtype = DType::u8, .class_index = true}}) ==
        "set: target 'a' is u8, a class index must be i64");
  CHECK(message({{.name = "a", .shape = {0}}}) ==
        "set: target 'a' has the shape [0] without values");
  CHECK(message({{.name = "a", .form = TargetForm::map, .shape = {2}}}) ==
        "set: target 'a' is a map of the shape [2], expected []");
  CHECK(message({{.name = "a", .boxes = "a"}}) ==
        "set: target 'a' is fixed, rows of boxes are ragged");
  CHECK(message({data::box_label_target()}) ==
        "set: target 'box_label' describes 'boxes', expected the name of an f32 target of rows "
        "[4] that names itself");
}

TEST_CASE("a collator has places for the images of its batch and no others") {
  const Mixed set(true);
  data::Collator collator(set.info(), 2, {4, 4});
  data::Sample sample;
  for (const int64_t place : {-1, 2}) {
    CHECK(error_message([&] {
            collator.put(place, sample, data::Geometry({4, 4}));
          }) == "collator: place " + std::to_string(place) + " of a batch of 2 images");
  }
}

}  // namespace
}  // namespace diagrad
