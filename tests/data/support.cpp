#include "tests/data/support.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>

#include "diagrad/data/registry.h"

namespace diagrad::testing {

namespace fs = std::filesystem;

CountingDataset::CountingDataset(int64_t size, const Shape& image, int64_t classes)
    : Dataset({.name = "counting",
               .image = image,
               .classes = std::vector<std::string>(static_cast<size_t>(classes), "class"),
               .targets = {data::label_target()},
               .normalization = "half"}),
      size_(size) {}

uint8_t CountingDataset::pixel(int64_t index, int64_t place) {
  return static_cast<uint8_t>(index * 31 + place * 7);
}

void CountingDataset::read(int64_t index, data::Sample& sample) const {
  sample.start(info(), info().image);
  for (size_t i = 0; i < sample.pixels.size(); ++i) {
    sample.pixels[i] = pixel(index, static_cast<int64_t>(i));
  }
  sample.values<int64_t>("label").push_back(index % info().class_count());
}

std::string CountingDataset::source(int64_t index) const {
  return "counting.bin, record " + std::to_string(index);
}

int64_t label_of(const data::Sample& sample) {
  return sample.values<int64_t>("label").at(0);
}

TemporaryFolder::TemporaryFolder() {
  static std::atomic<int> count{0};
  path_ = fs::temp_directory_path() /
          ("diagrad-test-" + std::to_string(getpid()) + "-" + std::to_string(count++));
  fs::create_directories(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name,
                                   const std::vector<uint8_t>& bytes) const {
  const fs::path file = path_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  REQUIRE(stream.good());
  return file.string();
}

std::vector<uint8_t> cifar_records(int64_t records, int64_t classes, int64_t label_bytes) {
  std::vector<uint8_t> bytes;
  for (int64_t record = 0; record < records; ++record) {
    if (label_bytes == 2) bytes.push_back(static_cast<uint8_t>(record % 20));
    bytes.push_back(static_cast<uint8_t>(record % classes));
    for (int64_t i = 0; i < 3072; ++i) bytes.push_back(CountingDataset::pixel(record, i));
  }
  return bytes;
}

void count_skip(const std::string& reason) {
  static int skips = 0;
  MESSAGE("skip " << ++skips << ": " << reason);
}

std::string real_data(const std::string& folder) {
  for (const fs::path& root : {fs::path(data::find_data(folder).value_or("")).parent_path(),
                               fs::path(DIAGRAD_SOURCE_DIR) / ".." / "shared" / "data"}) {
    if (!root.empty() && fs::exists(root / folder)) return (root / folder).string();
  }
  count_skip("no " + folder + ", set DIAGRAD_DATA to the folder that holds it");
  return {};
}

std::string text_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace diagrad::testing
