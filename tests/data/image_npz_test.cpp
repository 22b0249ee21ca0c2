#include "diagrad/data/image_npz.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::data {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::TemporaryFolder;
using testing::text_of;

const Shape kImage = {2, 3, 1};
constexpr int64_t kCount = 5;
constexpr int64_t kBytes = 6;

/// Pixel k of image i is 10 i + k.
std::vector<uint8_t> pixels(int64_t first, int64_t count) {
  std::vector<uint8_t> all;
  for (int64_t i = first; i < first + count; ++i) {
    for (int64_t k = 0; k < kBytes; ++k) all.push_back(static_cast<uint8_t>(10 * i + k));
  }
  return all;
}

int64_t label_of(int64_t image) {
  return 100 + image;
}

void write_whole(const std::string& path, bool has_labels) {
  ImageNpz file(path, kImage, kCount);
  file.append(pixels(0, kCount).data(), kCount);
  file.finish(has_labels ? label_of : std::function<int64_t(int64_t)>());
}

/// What an archive says of one of its entries, read from the beginning.
struct Entry {
  std::string name;
  uint32_t crc;
  std::string bytes;
};

std::vector<Entry> entries_of(const std::string& file) {
  std::vector<Entry> all;
  size_t at = 0;
  const auto number = [&](size_t place, size_t bytes) {
    uint64_t value = 0;
    std::memcpy(&value, file.data() + at + place, bytes);
    return value;
  };
  while (number(0, 4) == 0x04034b50) {
    const size_t name = number(26, 2);
    const size_t size = number(18, 4);
    all.push_back({file.substr(at + 30, name), static_cast<uint32_t>(number(14, 4)),
                   file.substr(at + 30 + name, size)});
    at += 30 + name + size;
  }
  CHECK(number(0, 4) == 0x02014b50);
  return all;
}

TEST_CASE("a file holds the images and labels as .npy, with their crc") {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.npz");
  write_whole(path, true);
  const std::string file = text_of(path);
  CHECK(std::ssize(file) == ImageNpz::whole_bytes(kImage, kCount, true));
  const std::vector<Entry> entries = entries_of(file);
  REQUIRE(entries.size() == 2);
  for (const Entry& entry : entries) {
    CHECK(entry.crc == zip_crc(entry.bytes.data(), entry.bytes.size()));
    CHECK(entry.bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
    CHECK(entry.bytes.substr(8, 2) == std::string("\x76\x00", 2));  // 118 bytes, 128 in all
    CHECK(entry.bytes[127] == '\n');
  }
  CHECK(entries[0].name == "images.npy");
  CHECK(entries[0].bytes.substr(10, 66) ==
        "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 2, 3, 1), } ");
  const std::vector<uint8_t> all = pixels(0, kCount);
  CHECK(entries[0].bytes.substr(128) == std::string(all.begin(), all.end()));
  CHECK(entries[1].name == "labels.npy");
  CHECK(entries[1].bytes.substr(10, 57) ==
        "{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }");
  REQUIRE(entries[1].bytes.size() == 128 + 5 * 8);
  int64_t last = 0;
  std::memcpy(&last, entries[1].bytes.data() + 128 + 4 * 8, 8);
  CHECK(last == 104);
}

TEST_CASE("a file without labels has one entry") {
  const TemporaryFolder folder;
  write_whole(folder.path("a.npz"), false);
  const std::string file = text_of(folder.path("a.npz"));
  CHECK(entries_of(file).size() == 1);
  CHECK(std::ssize(file) == ImageNpz::whole_bytes(kImage, kCount, false));
}

TEST_CASE("cut anywhere, a file goes on to the same bytes") {
  const TemporaryFolder folder;
  write_whole(folder.path("whole"), true);
  const std::string whole = text_of(folder.path("whole"));
  const std::string path = folder.path("cut");
  for (size_t length = 0; length <= whole.size(); ++length) {
    CAPTURE(length);
    std::ofstream(path, std::ios::binary) << whole.substr(0, length);
    {
      ImageNpz file(path, kImage, kCount);
      const int64_t there = file.size();
      std::vector<uint8_t> read(static_cast<size_t>(there * kBytes));
      file.read(read.data(), 0, there);
      CHECK(read == pixels(0, there));
      for (int64_t i = there; i < kCount; ++i) file.append(pixels(i, 1).data(), 1);
      file.finish(label_of);
    }
    CHECK(text_of(path) == whole);
  }
}

TEST_CASE("a whole file that is read stays as it is") {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.npz");
  write_whole(path, true);
  const std::string before = text_of(path);
  CHECK(ImageNpz(path, kImage, kCount).size() == kCount);
  CHECK(text_of(path) == before);
}

TEST_CASE("a file of something else is refused and stays as it is") {
  const TemporaryFolder folder;
  const std::string path = folder.path("a");
  const auto complaint = [&](const Shape& image, int64_t count) {
    return error_message([&] { ImageNpz(path, image, count); });
  };
  write_whole(path, true);
  const std::string before = text_of(path);
  CHECK(complaint(kImage, 6) == path + ": does not hold 6 images [2,3,1]");
  CHECK(complaint({3, 2, 1}, kCount) == path + ": does not hold 5 images [3,2,1]");
  CHECK(text_of(path) == before);
  std::ofstream(path) << "text";
  CHECK(complaint(kImage, kCount) == path + ": does not hold 5 images [2,3,1]");
  CHECK(text_of(path) == "text");
  fs::remove(path);
  {
    const ImageNpz open(path, kImage, kCount);
    CHECK(complaint(kImage, kCount) == path + ": another process is writing it");
  }
  fs::create_symlink(folder.path("elsewhere"), folder.path("link"));
  CHECK(error_message([&] {
          ImageNpz(folder.path("link"), kImage, kCount);
        }).starts_with(folder.path("link") + ": cannot write: "));
  CHECK_FALSE(fs::exists(folder.path("elsewhere")));
  CHECK(error_message([] {
          ImageNpz::whole_bytes(kImage, INT64_MAX, false);
        }).starts_with("npz: 9223372036854775807 images [2,3,1], expected"));
}

}  // namespace
}  // namespace diagrad::data
