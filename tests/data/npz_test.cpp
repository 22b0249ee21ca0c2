#include "diagrad/data/npz.h"

#include <doctest/doctest.h>

#include <functional>

#include "diagrad/core/error.h"
#include "diagrad/data/registry.h"
#include "tests/data/npz_bytes.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::read_npz;
using testing::error_message;
using testing::label_of;
using testing::npy_bytes;
using testing::npy_images;
using testing::npz_bytes;
using testing::NpzEntry;
using testing::TemporaryFolder;

std::vector<uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

std::string write(const TemporaryFolder& folder, const std::string& text) {
  return folder.write("x.npz", bytes_of(text));
}

void check_images(const data::Dataset& set) {
  int64_t place = 0;
  data::Sample sample;
  for (int64_t i = 0; i < set.size(); ++i) {
    set.read(i, sample);
    data::check_sample(set.info(), sample);
    for (const uint8_t pixel : sample.pixels) CHECK(pixel == place++ * 7 % 256);
  }
}

TEST_CASE("a file of numpy.savez is read") {
  // numpy.savez("numpy.npz", images=(numpy.arange(36) * 7 % 256).astype("u1").reshape(3, 2, 2, 3),
  //             labels=numpy.array([2, 0, 1]), classes=numpy.int64(5))
  const auto set = read_npz(std::string(DIAGRAD_SOURCE_DIR) + "/tests/data/numpy.npz");
  CHECK(set->size() == 3);
  CHECK(set->info().image == Shape{2, 2, 3});
  CHECK(set->info().classes ==
        std::vector<std::string>{"class 0", "class 1", "class 2", "class 3", "class 4"});
  check_images(*set);
  data::Sample sample;
  for (int64_t i = 0; i < 3; ++i) {
    set->read(i, sample);
    CHECK(label_of(sample) == (i + 2) % 3);
    CHECK(set->label(i) == (i + 2) % 3);
  }
  CHECK(set->source(2).find("numpy.npz, image 2") != std::string::npos);
}

TEST_CASE("--data takes an .npz file for all images, or a folder with train.npz and test.npz") {
  const TemporaryFolder folder;
  const std::string file = write(folder, npz_bytes(Shape{4, 3, 5, 1}, {}));
  const data::DatasetSplits one = data::open_dataset(file);
  CHECK(one.test->size() == 4);
  CHECK(one.train == one.test);
  CHECK(one.test->info().name == "x.npz");
  CHECK(one.test->info().image == Shape{3, 5, 1});
  CHECK(one.test->info().targets.empty());
  CHECK(one.test->label(0) == -1);
  check_images(*one.test);

  folder.write("both/train.npz", bytes_of(npz_bytes(Shape{5, 2, 2, 3}, {0, 1, 0, 1, 2})));
  CHECK(error_message([&] { data::open_dataset(folder.path("both")); }) ==
        "data: " + folder.path("both") + " has no test.npz");
  folder.write("both/test.npz", bytes_of(npz_bytes(Shape{2, 2, 2, 3}, {0, 2})));
  const data::DatasetSplits two = data::open_dataset(folder.path("both"));
  CHECK(two.train->size() == 5);
  CHECK(two.test->size() == 2);
  CHECK(two.train->info().class_count() == 3);
}

TEST_CASE("files of another form are refused in one line with what was expected") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text) {
    const std::string file = write(folder, text);
    const std::string message = error_message([&] { read_npz(file); });
    CHECK(message.starts_with(file + ": "));
    return message.substr(std::min(message.size(), file.size() + 2));
  };
  const NpzEntry images{"images.npy", npy_images({2, 2, 2, 3})};
  const auto with = [&](const std::string& name, const std::string& npy) {
    return npz_bytes({images, NpzEntry{name, npy}});
  };
  CHECK(refusal("") == "is no .npz file, or is cut short: it has no directory of a zip file");
  CHECK(refusal(npz_bytes(std::vector<NpzEntry>{})) ==
        "has no array images, u8 [N,H,W,C]; it has: none");
  CHECK(refusal(npz_bytes({NpzEntry{"x.npy", images.bytes}})) ==
        "has no array images, u8 [N,H,W,C]; it has: x");
  CHECK(refusal(npz_bytes({NpzEntry{"images.npy", images.bytes, 8}})) ==
        "images.npy is compressed; numpy.savez writes it stored, savez_compressed does not");
  CHECK(refusal(npz_bytes({NpzEntry{"images.npy", npy_images({2, 2, 3})}})) ==
        "images.npy is |u1 [2,2,3], expected u8 [N,H,W,C]");
  CHECK(refusal(npz_bytes({NpzEntry{"images.npy", npy_images({2, 2, 2, 2})}})).find("1 or 3") !=
        std::string::npos);
  CHECK(refusal(npz_bytes(
            {NpzEntry{"images.npy", npy_bytes("<f4", {1, 1, 1, 1}, std::string(4, '\0'))}})) ==
        "images.npy is <f4 [1,1,1,1], expected u8 [N,H,W,C]");
  CHECK(refusal(npz_bytes({NpzEntry{"images.npy", npy_bytes("|u1", {9, 9}, "short")}})) ==
        "images.npy has 5 bytes, its shape [9,9] of |u1 takes another number");
  CHECK(refusal(npz_bytes({NpzEntry{"images.npy", npy_bytes("|u1", {2}, "ab", true)}})) ==
        "images.npy is in Fortran order, expected C order");
  CHECK(refusal(npz_bytes({images, images})) == "has two entries images.npy");
  CHECK(refusal(with("labels.npy", npy_bytes({3}, {0, 1, 0}))) == "has 2 images and 3 labels");
  CHECK(refusal(with("labels.npy", npy_bytes("|u1", {2}, "ab"))) ==
        "labels.npy is |u1 [2], expected i64 [N]");
  CHECK(refusal(with("labels.npy", npy_bytes({2}, {1, -1}))) ==
        "label -1 of image 1 is outside 0..1");
  CHECK(refusal(npz_bytes({images, NpzEntry{"labels.npy", npy_bytes({2}, {1, 4})},
                           NpzEntry{"classes.npy", npy_bytes(Shape{}, {3})}})) ==
        "label 4 of image 1 is outside 0..2");
}

TEST_CASE("a file that is cut short or changed anywhere is refused or has the same images") {
  const TemporaryFolder folder;
  const std::string whole = npz_bytes(Shape{2, 2, 2, 3}, {1, 0});
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string file = write(folder, whole.substr(0, length));
    CHECK_THROWS_AS(read_npz(file), Error);
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const std::string file = write(folder, changed);
    try {
      const auto set = read_npz(file);
      CAPTURE(at);
      CHECK(set->info().image == Shape{2, 2, 3});
      check_images(*set);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::data);
    }
  }
}

}  // namespace
}  // namespace diagrad
