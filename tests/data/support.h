#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "diagrad/data/dataset.h"

namespace diagrad::testing {

/// Images that say who they are: every byte of image i is a function of i and its place.
class CountingDataset : public data::Dataset {
 public:
  CountingDataset(int64_t size, const Shape& image, int64_t classes = 10);
  int64_t size() const override { return size_; }
  void read(int64_t index, data::Sample& sample) const override;
  std::string source(int64_t index) const override;
  static uint8_t pixel(int64_t index, int64_t place);

 private:
  int64_t size_;
};

/// The value of a sample's target "label".
int64_t label_of(const data::Sample& sample);

/// A folder of its own for one test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name = "") const { return (path_ / name).string(); }
  /// Writes a file (its folders are made) and returns its path.
  std::string write(const std::string& name, const std::vector<uint8_t>& bytes) const;

 private:
  std::filesystem::path path_;
};

/// `records` CIFAR records: label bytes (value `record % classes`, after `coarse` of them), then
/// planar pixels that are a function of record and place.
std::vector<uint8_t> cifar_records(int64_t records, int64_t classes, int64_t label_bytes = 1);

/// Says that a test, or a part of one, does not run, with how many did not so far.
void count_skip(const std::string& reason);

/// Where real images lie, e.g. real_data("cifar-10-batches-bin"); empty where there are none,
/// after a message that counts as a skip.
std::string real_data(const std::string& folder);

/// What a file holds; empty for one that cannot be read.
std::string text_of(const std::string& path);

}  // namespace diagrad::testing
