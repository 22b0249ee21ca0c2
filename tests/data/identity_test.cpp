#include "diagrad/data/identity.h"

#include <doctest/doctest.h>

#include "diagrad/core/error.h"
#include "diagrad/data/shapes.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::data {
namespace {

using testing::CountingDataset;
using testing::error_message;

/// Counting images of which one is another.
class Altered : public Dataset {
 public:
  enum class What { pixel, label };
  Altered(int64_t size, int64_t at, What what)
      : Dataset(CountingDataset(1, {2, 2, 3}).info()),
        whole_(size, {2, 2, 3}),
        at_(at),
        what_(what) {}
  int64_t size() const override { return whole_.size(); }
  std::string source(int64_t index) const override { return whole_.source(index); }
  void read(int64_t index, Sample& sample) const override {
    whole_.read(index, sample);
    if (index != at_) return;
    if (what_ == What::pixel) sample.pixels[0] ^= 1;
    if (what_ == What::label) sample.values<int64_t>("label")[0] ^= 1;
  }

 private:
  CountingDataset whole_;
  int64_t at_;
  What what_;
};

std::string hash_of(DatasetPtr set) {
  return identify({.train = set, .test = set}).hash;
}

TEST_CASE("the identity of a set is the same each time, and has a word for each part") {
  const DataIdentity identity = identify(make_shapes({.size = 16, .train = 30, .test = 20}));
  CHECK(identity == identify(make_shapes({.size = 16, .train = 30, .test = 20})));
  CHECK(identity.name == "shapes");
  CHECK(identity.input == Shape{16, 16, 3});
  CHECK(identity.classes.size() == 10);
  CHECK(identity.train_images == 30);
  CHECK(identity.validation_images == 0);
  CHECK(identity.test_images == 20);
  REQUIRE(identity.hash.size() == 3 * 16 + 2);
  CHECK(identity.hash.substr(17, 16) == "0000000000000000");
  CHECK(identity.hash.substr(0, 16) != identity.hash.substr(34));
}

TEST_CASE("a label of any image changes the hash, a pixel one of the 1,024 that are sampled") {
  const auto set = [](int64_t at, Altered::What what) {
    return std::make_shared<Altered>(4096, at, what);
  };
  const std::string plain = hash_of(set(-1, Altered::What::pixel));
  for (const int64_t at : {0, 1, 2047, 4095}) {
    CHECK(hash_of(set(at, Altered::What::label)) != plain);
  }
  for (const int64_t at : {0, 4, 2048, 4092}) {
    CHECK(hash_of(set(at, Altered::What::pixel)) != plain);
  }
  CHECK(hash_of(set(1, Altered::What::pixel)) == plain);  // what the hash does not see
}

TEST_CASE("what differs is named; the name alone is no difference") {
  const DataIdentity run = identify(make_shapes({.size = 16, .train = 30, .test = 20}));
  DataIdentity other = run;
  other.name = "pets";
  CHECK(differences(run, other).empty());
  other.classes[3] = "dog";
  other.test_images = 21;
  const auto words = differences(run, other);
  REQUIRE(words.size() == 3);
  CHECK(words[0] == "shapes there, pets here");
  CHECK(words[1] == "class 3: " + run.classes[3] + " there, dog here");
  CHECK(words[2] == "test images: 20 there, 21 here");
  other = run;
  other.hash = "";  // not taken: nothing is known
  CHECK(differences(run, other).empty());
  other.classes.resize(2);
  other.input = {32, 32, 3};
  CHECK(differences(run, other).size() == 2);
}

TEST_CASE("classes match by their names; numbers match by their count") {
  const std::vector<std::string> run = {"cat", "dog", "owl"};
  CHECK(match_classes(run, run) == ClassMatch::same);
  CHECK(match_classes(run, {"owl", "cat", "dog"}) == ClassMatch::reordered);
  CHECK(match_classes(run, {"owl"}) == ClassMatch::reordered);
  CHECK(match_classes(run, {"owl", "cat", "hen"}) == ClassMatch::other);
  CHECK(match_classes(run, {"class 0", "class 1", "class 2"}) == ClassMatch::same);
  CHECK(match_classes({"class 0", "class 1", "class 2"}, run) == ClassMatch::same);
  CHECK(match_classes(run, {"class 0", "class 1"}) == ClassMatch::other);
}

TEST_CASE("with classes of another order every class index is another") {
  const DatasetPtr shapes = make_shapes({.size = 16, .train = 30, .test = 20}).test;
  std::vector<std::string> reversed(shapes->info().classes.rbegin(), shapes->info().classes.rend());
  const DatasetPtr mapped = with_classes(shapes, reversed);
  CHECK(mapped->size() == 20);
  CHECK(mapped->info().classes == reversed);
  Sample before;
  Sample after;
  for (int64_t i = 0; i < 20; ++i) {
    shapes->read(i, before);
    mapped->read(i, after);
    CHECK(testing::label_of(after) == 9 - testing::label_of(before));
    CHECK(after.values<int64_t>("box_label")[0] == 9 - before.values<int64_t>("box_label")[0]);
    CHECK(after.values<uint8_t>("mask") == before.values<uint8_t>("mask"));
    CHECK(after.pixels == before.pixels);
    CHECK(mapped->label(i) == testing::label_of(after));
  }
  CHECK(error_message([&] { with_classes(shapes, {"circle"}); }).find("expected some of circle") !=
        std::string::npos);
}

TEST_CASE("each set knows the label of an image without reading it") {
  const auto splits = make_shapes({.size = 16, .train = 30, .test = 20});
  const auto counting = std::make_shared<CountingDataset>(30, Shape{2, 2, 3});
  for (const DatasetPtr& set : {splits.train, subset(splits.train, {5, 7}), DatasetPtr(counting)}) {
    Sample sample;
    for (int64_t i = 0; i < set->size(); ++i) {
      set->read(i, sample);
      CHECK(set->label(i) == testing::label_of(sample));
    }
  }
}

}  // namespace
}  // namespace diagrad::data
