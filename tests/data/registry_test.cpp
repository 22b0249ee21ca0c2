#include "diagrad/data/registry.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "diagrad/core/error.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::open_dataset;
using testing::cifar_records;
using testing::error_message;
using testing::TemporaryFolder;

/// DIAGRAD_DATA for the length of a test.
class DataVariable {
 public:
  explicit DataVariable(const std::string& value) {
    const char* before = std::getenv("DIAGRAD_DATA");
    if (before != nullptr) before_ = before;
    setenv("DIAGRAD_DATA", value.c_str(), 1);
  }
  ~DataVariable() {
    if (before_) {
      setenv("DIAGRAD_DATA", before_->c_str(), 1);
    } else {
      unsetenv("DIAGRAD_DATA");
    }
  }
  DataVariable(const DataVariable&) = delete;
  DataVariable& operator=(const DataVariable&) = delete;

 private:
  std::optional<std::string> before_;
};

TEST_CASE("every data set format is complete and named once") {
  std::set<std::string> names;
  for (const data::DatasetFormat& format : data::dataset_formats()) {
    CAPTURE(format.name);
    CHECK(names.insert(format.name).second);
    CHECK(!format.help.empty());
    if (format.make) continue;
    CHECK(!format.folder.empty());
    CHECK(!format.obtain.empty());
    CHECK(format.recognizes);
    CHECK(format.open);
  }
  for (const char* name : {"cifar10", "cifar100", "shapes"}) CHECK(names.count(name) == 1);
}

/// What tells targets apart, in words.
std::string text_of(const std::vector<data::TargetInfo>& targets) {
  std::string text;
  for (const data::TargetInfo& target : targets) {
    text += fmt::format("{} {} {} {} {}; ", target.name, name(target.dtype), name(target.form),
                        target.shape, target.help);
  }
  return text;
}

TEST_CASE("a format lists the targets that its data sets have") {
  for (const data::DatasetFormat& format : data::dataset_formats()) {
    CAPTURE(format.name);
    const std::string text = format.make ? format.name : testing::real_data(format.folder);
    if (text.empty()) continue;
    const data::DatasetSplits splits = open_dataset(text);
    for (const data::DatasetPtr& set : {splits.train, splits.validation, splits.test}) {
      if (set) CHECK(text_of(set->info().targets) == text_of(format.targets));
    }
  }
}

TEST_CASE("a data set is found by its name or folder where DIAGRAD_DATA points") {
  const TemporaryFolder folder;
  folder.write("cifar-10-batches-bin/data_batch_1.bin", cifar_records(4, 10));
  folder.write("cifar-10-batches-bin/test_batch.bin", cifar_records(2, 10));
  const DataVariable variable(folder.path());
  CHECK(data::data_folders() == std::vector<std::string>{folder.path()});
  CHECK(open_dataset("cifar10").train->size() == 4);
  CHECK(open_dataset("cifar-10-batches-bin").train->size() == 4);
  CHECK(error_message([] { open_dataset("cifar100"); }) ==
        "data: no folder cifar-100-binary in " + folder.path() +
            "; scripts/get_data.sh cifar100 fetches it");
  CHECK(error_message([] { open_dataset("cifar10:size=3"); }) ==
        "data: 'cifar10' has no option 'size' (it has none)");
}

TEST_CASE("a folder that holds one data set under its official name stands for it, two do not") {
  const TemporaryFolder folder;
  const std::string ten = folder.path("cifar-10-batches-bin");
  folder.write("cifar-10-batches-bin/data_batch_1.bin", cifar_records(4, 10));
  folder.write("cifar-10-batches-bin/test_batch.bin", cifar_records(2, 10));
  folder.write("notes.txt", {});
  const data::DatasetSplits splits = open_dataset(folder.path());
  CHECK(splits.train->info().name == "cifar10");
  CHECK(splits.train->size() == 4);
  CHECK(splits.test->size() == 2);
  const std::string hundred = folder.path("cifar-100-binary");
  folder.write("cifar-100-binary/train.bin", cifar_records(4, 100, 2));
  folder.write("cifar-100-binary/test.bin", cifar_records(2, 100, 2));
  CHECK(error_message([&] { open_dataset(folder.path()); }) ==
        "data: " + folder.path() + " holds 2 data sets, name one of them: " + ten + " or " +
            hundred);
}

TEST_CASE("a data set that nothing could read, or of a taken name, is refused with its name") {
  const auto complaint = [](data::DatasetFormat format) {
    return error_message([&] { data::register_dataset(std::move(format)); });
  };
  CHECK(complaint({.name = "mine"}) ==
        "data set 'mine' is registered with neither .make nor both .recognizes and .open: nothing "
        "could read it");
  CHECK(complaint({.name = "mine", .recognizes = [](const std::string&) { return true; }})
            .find("data set 'mine'") == 0);
  CHECK(
      complaint({.name = "mine", .open = [](const std::string&) { return data::DatasetSplits(); }})
          .find("data set 'mine'") == 0);
  CHECK(complaint({.name = "shapes"}) == "data set 'shapes' is registered twice");
  CHECK(complaint({}) == "data set: an entry is registered without a name");
}

TEST_CASE("what is no data set is named with what is known") {
  const TemporaryFolder folder;
  std::string known;
  for (const data::DatasetFormat& format : data::dataset_formats()) {
    known += (known.empty() ? "" : ", ") + format.name;
  }
  CHECK(error_message([] { open_dataset(""); }) ==
        "data: the name is empty, use a folder or one of: " + known);
  CHECK(error_message([&] { open_dataset(folder.path("none")); }) ==
        "data: " + folder.path("none") + " does not exist (use a folder, or one of: " + known +
            ")");
  CHECK(error_message([&] { open_dataset(folder.path()); }) ==
        "data: " + folder.path() + " holds none of the files of a known format (known: " + known +
            "); `diagrad datasets` lists what each looks like");
  const std::string file = folder.write("data_batch_1.bin", cifar_records(1, 10));
  CHECK(error_message([&] { open_dataset(file); }) ==
        "data: " + file + " is a file, expected a folder; use the folder that holds it");
  try {
    open_dataset(folder.path("none"));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::data);
  }
}

TEST_CASE("a validation split takes other images for another seed, and none twice") {
  const data::DatasetPtr whole = std::make_shared<testing::CountingDataset>(50, Shape{2, 2, 3}, 50);
  const data::Split split = data::split_validation(whole, 12, 3);
  CHECK(split.train->size() == 38);
  CHECK(split.validation->size() == 12);
  std::set<int64_t> seen;
  std::vector<std::string> sources;
  data::Sample sample;
  for (const data::DatasetPtr& part : {split.train, split.validation}) {
    for (int64_t i = 0; i < part->size(); ++i) {
      part->read(i, sample);
      CHECK(seen.insert(testing::label_of(sample)).second);
      CHECK(part->source(i) == "counting.bin, record " + std::to_string(testing::label_of(sample)));
      sources.push_back(part->source(i));
    }
  }
  const data::Split same = data::split_validation(whole, 12, 3);
  const data::Split other = data::split_validation(whole, 12, 4);
  bool differs = false;
  for (int64_t i = 0; i < 12; ++i) {
    CHECK(same.validation->source(i) == split.validation->source(i));
    differs = differs || other.validation->source(i) != split.validation->source(i);
  }
  CHECK(differs);
  for (const int64_t count : {-1, 0, 50, 51}) {
    CHECK(error_message([&] { data::split_validation(whole, count, 0); }) ==
          "val-split: " + std::to_string(count) +
              " images cannot be set aside, counting has 50 training images; use 1 to 49");
  }
  CHECK(error_message([&] {
          data::subset(whole, {1, 50});
        }) == "subset: image 50 does not exist, counting has images 0 to 49");
}

}  // namespace
}  // namespace diagrad
