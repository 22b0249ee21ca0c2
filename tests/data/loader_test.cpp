#include "diagrad/data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <set>
#include <stdexcept>
#include <thread>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/data/augmentation.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::Batch;
using data::Loader;
using data::LoaderOptions;
using testing::CountingDataset;
using testing::error_message;

/// Everything an epoch delivers, as bytes.
struct Stream {
  std::vector<float> images;
  std::vector<int64_t> labels;
  std::vector<int64_t> indices;
  std::vector<int64_t> sizes;
  bool operator==(const Stream&) const = default;
};

Stream drain(Loader& loader, int64_t epoch, int64_t first_batch = 0) {
  Stream stream;
  Batch batch;
  loader.start(epoch, first_batch);
  while (loader.next(batch)) {
    CHECK(batch.number == first_batch + static_cast<int64_t>(stream.sizes.size()));
    const auto* images = batch.images.data<float>();
    const auto* labels = batch.target("label").values.data<int64_t>();
    stream.images.insert(stream.images.end(), images, images + batch.images.numel());
    stream.labels.insert(stream.labels.end(), labels, labels + batch.size());
    stream.indices.insert(stream.indices.end(), batch.indices.begin(), batch.indices.end());
    stream.sizes.push_back(batch.size());
    CHECK(batch.images.size(0) == batch.size());
  }
  CHECK_FALSE(loader.next(batch));
  return stream;
}

data::DatasetPtr counting(int64_t size = 103) {
  return std::make_shared<CountingDataset>(size, Shape{6, 5, 3});
}

LoaderOptions augmented(int workers) {
  return {
      .batch = 8,
      .shuffle = true,
      .workers = workers,
      .prefetch = 3,
      .seed = 7,
      .augmentations = data::parse_augmentations({"pad-crop:border=2", "flip", "cutout:size=3"})};
}

/// Fails on one image, with or without naming its source.
class FailingDataset : public CountingDataset {
 public:
  explicit FailingDataset(bool names_source)
      : CountingDataset(40, {4, 4, 3}), names_source_(names_source) {}
  void read(int64_t index, data::Sample& sample) const override {
    if (index == 21 && names_source_) {
      fail(ErrorKind::data, "{}: checksum differs", source(index));
    }
    if (index == 21) throw std::runtime_error("checksum differs");
    CountingDataset::read(index, sample);
  }

 private:
  bool names_source_;
};

TEST_CASE("without shuffling, batches hold the images in order, normalised") {
  Loader loader(counting(), {.batch = 10});
  CHECK(loader.batch_count() == 11);
  CHECK(loader.image_count() == 103);
  const Stream stream = drain(loader, 0);
  CHECK(stream.sizes == std::vector<int64_t>{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 3});
  for (int64_t i = 0; i < 103; ++i) {
    CHECK(stream.indices[static_cast<size_t>(i)] == i);
    CHECK(stream.labels[static_cast<size_t>(i)] == i % 10);
    for (int64_t place = 0; place < 90; ++place) {
      const float expected =
          static_cast<float>(CountingDataset::pixel(i, place)) / 255.0F * 2.0F - 1.0F;
      CHECK(stream.images[static_cast<size_t>(i * 90 + place)] ==
            doctest::Approx(expected).epsilon(1e-6));
    }
  }
}

TEST_CASE("drop_last leaves out the last batch that is not full") {
  Loader loader(counting(), {.batch = 10, .drop_last = true});
  CHECK(loader.batch_count() == 10);
  CHECK(loader.image_count() == 100);
  CHECK(drain(loader, 0).sizes == std::vector<int64_t>(10, 10));
}

TEST_CASE("a shuffled epoch holds every image once, in an order of its own") {
  Loader loader(counting(), augmented(0));
  const Stream first = drain(loader, 0);
  const Stream second = drain(loader, 1);
  CHECK(std::set<int64_t>(first.indices.begin(), first.indices.end()).size() == 103);
  CHECK(first.indices != second.indices);
  CHECK(first == drain(loader, 0));
  LoaderOptions other = augmented(0);
  other.seed = 8;
  Loader reseeded(counting(), other);
  CHECK(first.indices != drain(reseeded, 0).indices);
}

TEST_CASE("workers and threads do not change what a loader delivers") {
  Loader alone(counting(), augmented(0));
  const std::vector<Stream> expected{drain(alone, 0), drain(alone, 1)};
  const int threads = num_threads();
  for (const int workers : {0, 1, 4, 9}) {
    set_num_threads(1 + workers % 3);
    Loader loader(counting(), augmented(workers));
    for (int repeat = 0; repeat < 5; ++repeat) {
      CHECK(drain(loader, 0) == expected[0]);
      CHECK(drain(loader, 1) == expected[1]);
    }
  }
  set_num_threads(threads);
}

TEST_CASE("an epoch that is resumed at a batch delivers what the whole one would have") {
  for (const int workers : {0, 3}) {
    Loader loader(counting(), augmented(workers));
    const Stream whole = drain(loader, 5);
    const Stream rest = drain(loader, 5, 9);
    CHECK(std::equal(rest.images.begin(), rest.images.end(), whole.images.begin() + 9 * 8 * 90));
    CHECK(std::equal(rest.indices.begin(), rest.indices.end(), whole.indices.begin() + 9 * 8));
    CHECK(rest.sizes.size() == 4);
    CHECK(drain(loader, 5, 13).sizes.empty());
  }
}

TEST_CASE("an error while reading surfaces at the turn of its batch with the source's name") {
  for (const int workers : {0, 1, 4}) {
    for (const bool names_source : {false, true}) {
      Loader loader(std::make_shared<FailingDataset>(names_source),
                    {.batch = 8, .workers = workers, .prefetch = 5});
      for (int repeat = 0; repeat < 3; ++repeat) {
        Batch batch;
        loader.start(0);
        CHECK(loader.next(batch));
        CHECK(loader.next(batch));
        CHECK(error_message([&] { loader.next(batch); }) ==
              "counting.bin, record 21: checksum differs");
        CHECK_FALSE(loader.next(batch));
      }
    }
  }
}

TEST_CASE("memory that is short is no fault of an image") {
  class Large : public CountingDataset {
   public:
    Large() : CountingDataset(40, {4, 4, 3}) {}
    void read(int64_t index, data::Sample& sample) const override {
      if (index == 5) throw std::bad_alloc();
      CountingDataset::read(index, sample);
    }
  };
  for (const int workers : {0, 2}) {
    Loader loader(std::make_shared<Large>(), {.batch = 8, .workers = workers});
    Batch batch;
    loader.start(0);
    CHECK_THROWS_AS(loader.next(batch), std::bad_alloc);
  }
}

TEST_CASE("a data set that breaks its promises is reported, not copied out of bounds") {
  class Short : public CountingDataset {
   public:
    Short() : CountingDataset(9, {4, 4, 3}) {}
    void read(int64_t index, data::Sample& sample) const override {
      CountingDataset::read(index, sample);
      if (index == 3) sample.pixels.resize(5);
      if (index == 7) sample.values<int64_t>("label")[0] = 10;
    }
  };
  Loader loader(std::make_shared<Short>(), {.batch = 4});
  Batch batch;
  loader.start(0);
  CHECK(error_message([&] { loader.next(batch); }) ==
        "counting.bin, record 3: image has 5 bytes, expected 48 for [4,4,3]");
  loader.start(0, 1);
  CHECK(error_message([&] { loader.next(batch); }) ==
        "counting.bin, record 7: label 10 is outside 0..9");
}

TEST_CASE("a loader can be dropped or restarted at any moment") {
  for (int round = 0; round < 60; ++round) {
    Loader loader(counting(), augmented(1 + round % 4));
    Batch batch;
    for (int epoch = 0; epoch < 3; ++epoch) {
      loader.start(epoch);
      for (int i = 0; i < round % 7; ++i) CHECK(loader.next(batch));
      if (round % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round * 10));
    }
  }
  const Loader never_started(counting(), augmented(4));
  Loader not_started(counting(), augmented(4));
  Batch batch;
  CHECK_FALSE(not_started.next(batch));
}

TEST_CASE("loader options that cannot work are rejected with the numbers") {
  const auto message = [](int64_t size, const LoaderOptions& options) {
    return error_message([&] { Loader(counting(size), options); });
  };
  CHECK(message(9, {.batch = 0}) == "loader: a batch of 0 images is below 1");
  CHECK(message(9, {.workers = -1}) == "loader: -1 workers, use 0 to 256");
  CHECK(message(9, {.prefetch = 0}) == "loader: prefetch 0, use 1 to 1024");
  CHECK(message(0, {}) == "loader: the data set counting has no images");
  CHECK(message(9, {.batch = 10, .drop_last = true}) ==
        "loader: a batch of 10 is never full, counting has 9 images; use a smaller batch or "
        "keep the last one");
  CHECK(message(9, {.normalization = "imagenet"}) ==
        "normalization: no preset 'imagenet' (use one of: cifar, cifar10, cifar100, half)");
  CHECK(error_message([] { Loader(counting(9), {.batch = 4}).start(0, 4); }) ==
        "loader: batch 4 does not exist, an epoch has batches 0 to 2");
}

}  // namespace
}  // namespace diagrad
