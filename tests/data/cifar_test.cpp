#include "diagrad/data/cifar.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
#include "diagrad/data/registry.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

using data::open_dataset;
using data::Sample;
using testing::cifar_records;
using testing::CountingDataset;
using testing::error_message;
using testing::real_data;
using testing::TemporaryFolder;

using Bytes = std::vector<uint8_t>;

/// The error of opening a folder; its own path is written as DIR.
std::string open_error(const TemporaryFolder& folder) {
  std::string message = error_message([&] { open_dataset(folder.path()); });
  for (size_t at = message.find(folder.path()); at != std::string::npos;
       at = message.find(folder.path())) {
    message.replace(at, folder.path().size(), "DIR/");
  }
  return message;
}

/// A small healthy CIFAR-10 folder.
void write_cifar10(const TemporaryFolder& folder, const std::string& inner = "") {
  folder.write(inner + "data_batch_1.bin", cifar_records(20, 10));
  folder.write(inner + "data_batch_4.bin", cifar_records(7, 10));
  folder.write(inner + "test_batch.bin", cifar_records(5, 10));
}

void write_cifar100(const TemporaryFolder& folder) {
  folder.write("train.bin", cifar_records(120, 100, 2));
  folder.write("test.bin", cifar_records(3, 100, 2));
}

TEST_CASE("CIFAR-10 images come out row by row with their channels together") {
  const TemporaryFolder folder;
  write_cifar10(folder);
  const data::DatasetSplits pair = open_dataset(folder.path());
  CHECK(pair.train->size() == 27);
  CHECK(pair.test->size() == 5);
  CHECK(pair.train->info().name == "cifar10");
  CHECK(pair.train->info().image == Shape{32, 32, 3});
  CHECK(pair.train->info().classes.at(3) == "class 3");
  CHECK(pair.train->info().has_target("label"));
  CHECK_FALSE(pair.train->info().has_target("mask"));
  CHECK(pair.validation == nullptr);
  Sample sample;
  pair.train->read(22, sample);  // the third record of the second file
  CHECK(testing::label_of(sample) == 2);
  for (int64_t y = 0; y < 32; ++y) {
    for (int64_t x = 0; x < 32; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        REQUIRE(sample.pixels[static_cast<size_t>((y * 32 + x) * 3 + c)] ==
                CountingDataset::pixel(2, c * 1024 + y * 32 + x));
      }
    }
  }
  CHECK(pair.train->source(0) == folder.path("data_batch_1.bin") + ", record 0");
  CHECK(pair.train->source(19) == folder.path("data_batch_1.bin") + ", record 19");
  CHECK(pair.train->source(20) == folder.path("data_batch_4.bin") + ", record 0");
  CHECK(pair.train->source(26) == folder.path("data_batch_4.bin") + ", record 6");
}

TEST_CASE("CIFAR-100 labels are the fine ones") {
  const TemporaryFolder folder;
  write_cifar100(folder);
  const data::DatasetSplits pair = open_dataset(folder.path());
  CHECK(pair.train->info().name == "cifar100");
  CHECK(pair.train->info().class_count() == 100);
  Sample sample;
  pair.train->read(99, sample);
  CHECK(testing::label_of(sample) == 99);
  CHECK(sample.pixels[0] == CountingDataset::pixel(99, 0));
  CHECK(pair.test->size() == 3);
}

TEST_CASE("a folder that holds the official one is accepted, two of them are not") {
  const TemporaryFolder folder;
  write_cifar10(folder, "cifar-10-batches-bin/");
  CHECK(open_dataset(folder.path()).train->size() == 27);
  folder.write("cifar-100-binary/train.bin", cifar_records(1, 100, 2));
  CHECK(open_error(folder) ==
        "data: DIR/ holds 2 data sets, name one of them: DIR/cifar-10-batches-bin or "
        "DIR/cifar-100-binary");
}

TEST_CASE("class names are read from the official files, and must fit") {
  const auto text = [](const std::string& letters) {
    return Bytes(letters.begin(), letters.end());
  };
  const TemporaryFolder folder;
  write_cifar10(folder);
  folder.write("batches.meta.txt", text("a\nb b\r\nc\nd\ne\nf\ng\nh\ni\nlast\n\n"));
  CHECK(open_dataset(folder.path()).test->info().classes ==
        std::vector<std::string>{"a", "b b", "c", "d", "e", "f", "g", "h", "i", "last"});
  const std::string longest(64, 'z');
  folder.write("batches.meta.txt", text("\xEF\xBB\xBF"
                                        "a\r\nb b\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\n" +
                                        longest));
  CHECK(open_dataset(folder.path()).test->info().classes ==
        std::vector<std::string>{"a", "b b", "c", "d", "e", "f", "g", "h", "i", longest});
  for (const char* bad : {"a\nb\n\nd\n", "a\nb\n\x1b[31mred\n", "a\nb"}) {
    folder.write("batches.meta.txt", text(bad));
    CHECK(open_error(folder) ==
          "cifar10: DIR/batches.meta.txt: line 3 is no class name, expected 10 lines with one "
          "name of at most 64 plain letters each; without the file, numbers stand for names");
  }
  folder.write("batches.meta.txt", Bytes(200000, 'x'));
  CHECK(open_error(folder).find("line 1 is no class name") != std::string::npos);
}

TEST_CASE("damaged CIFAR files are named with the record and what to do") {
  const std::string again = "fetch it again (scripts/get_data.sh cifar10)";
  const TemporaryFolder folder;
  write_cifar10(folder);
  Bytes bytes = cifar_records(20, 10);

  bytes.resize(bytes.size() - 1);
  folder.write("data_batch_4.bin", bytes);
  CHECK(open_error(folder) ==
        "cifar10: DIR/data_batch_4.bin has 61459 bytes, that is 19 records of 3073 bytes and 3072 "
        "bytes of record 19; the file is cut short or of another format: " +
            again);

  folder.write("data_batch_4.bin", {});
  CHECK(open_error(folder) == "cifar10: DIR/data_batch_4.bin is empty; " + again);

  bytes = cifar_records(20, 10);
  bytes[3073 * 17] = 10;
  folder.write("data_batch_4.bin", bytes);
  CHECK(open_error(folder) ==
        "cifar10: DIR/data_batch_4.bin, record 17: label 10 is outside 0..9; the file is damaged "
        "or of another format: " +
            again);

  std::filesystem::remove(folder.path("data_batch_4.bin"));
  std::filesystem::create_directory(folder.path("data_batch_4.bin"));
  CHECK(open_error(folder) ==
        "cifar10: DIR/data_batch_4.bin is a folder, expected a file of records");

  std::filesystem::remove(folder.path("data_batch_4.bin"));
  REQUIRE(mkfifo(folder.path("data_batch_4.bin").c_str(), 0600) == 0);
  CHECK(open_error(folder) ==
        "cifar10: DIR/data_batch_4.bin is a device, expected a file of records");
  std::filesystem::remove(folder.path("data_batch_4.bin"));

  std::filesystem::create_symlink("nowhere", folder.path("data_batch_5.bin"));
  CHECK(open_error(folder).empty());  // a dangling link is no file
  std::filesystem::remove(folder.path("data_batch_5.bin"));

  // Larger than any CIFAR file, but a whole number of records: refused before anything is read.
  folder.write("data_batch_5.bin", {0});
  std::filesystem::resize_file(folder.path("data_batch_5.bin"), uintmax_t{3073} << 20);
  CHECK(open_error(folder) ==
        "cifar10: DIR/data_batch_5.bin has 3222274048 bytes, more than 1073741824 that any such "
        "file has");
  std::filesystem::remove(folder.path("data_batch_5.bin"));

  std::filesystem::remove(folder.path("test_batch.bin"));
  CHECK(open_error(folder) ==
        "cifar10: DIR/ has no test_batch.bin; the set is incomplete, fetch it again: "
        "scripts/get_data.sh cifar10");
  std::filesystem::remove(folder.path("data_batch_1.bin"));
  folder.write("test_batch.bin", cifar_records(5, 10));
  CHECK(open_error(folder) ==
        "cifar10: DIR/ has no data_batch_1.bin; the set is incomplete, fetch it again: "
        "scripts/get_data.sh cifar10");
}

TEST_CASE("damaged CIFAR-100 files are told by either label") {
  const TemporaryFolder folder;
  write_cifar100(folder);
  Bytes bytes = cifar_records(4, 100, 2);
  bytes[3074 * 2] = 20;
  folder.write("test.bin", bytes);
  CHECK(open_error(folder).find("test.bin, record 2: coarse label 20 is outside 0..19") !=
        std::string::npos);
  bytes[3074 * 2] = 19;
  bytes[3074 * 3 + 1] = 100;
  folder.write("test.bin", bytes);
  CHECK(open_error(folder).find("test.bin, record 3: fine label 100 is outside 0..99") !=
        std::string::npos);
  std::filesystem::remove(folder.path("test.bin"));
  CHECK(open_error(folder).find("cifar100: DIR/ has no test.bin") == 0);
}

TEST_CASE("the Python versions are recognised, and the binary ones asked for") {
  const TemporaryFolder ten;
  ten.write("data_batch_1", {1, 2, 3});
  CHECK(open_error(ten) ==
        "cifar10: DIR/ has no data_batch_1.bin; it holds the Python version, get the binary one: "
        "scripts/get_data.sh cifar10");
  const TemporaryFolder hundred;
  hundred.write("train", {1});
  hundred.write("meta", {1});
  CHECK(open_error(hundred) ==
        "cifar100: DIR/ has no train.bin; it holds the Python version, get the binary one: "
        "scripts/get_data.sh cifar100");
}

TEST_CASE("garbage in CIFAR files gives an error or images, never more") {
  const TemporaryFolder folder;
  write_cifar10(folder);
  const Bytes healthy = cifar_records(3, 10);
  int opened = 0;
  for (uint64_t round = 0; round < 300; ++round) {
    RandomStream random(1, stream_id("cifar garbage", round));
    Bytes bytes = healthy;
    if (random.below(2) == 0) bytes.resize(static_cast<size_t>(random.below(3 * 3073 + 1)));
    for (int64_t i = random.below(6); i > 0 && !bytes.empty(); --i) {
      const int64_t places = static_cast<int64_t>(bytes.size());
      const int64_t place =
          random.below(2) == 0 ? random.below((places + 3072) / 3073) * 3073 : random.below(places);
      bytes[static_cast<size_t>(place)] = static_cast<uint8_t>(random.next_bits());
    }
    if (random.below(8) == 0) {
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next_bits());
    }
    folder.write(random.below(4) == 0 ? "batches.meta.txt" : "data_batch_1.bin", bytes);
    try {
      const data::DatasetSplits pair = open_dataset(folder.path());
      Sample sample;
      for (int64_t i = 0; i < pair.train->size(); ++i) {
        pair.train->read(i, sample);
        REQUIRE(testing::label_of(sample) < 10);
        REQUIRE(sample.pixels.size() == 3072);
      }
      ++opened;
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::data);
      REQUIRE(std::string(error.what()).find('\n') == std::string::npos);
    }
    std::filesystem::remove(folder.path("batches.meta.txt"));
  }
  CHECK(opened > 10);
  CHECK(opened < 290);
}

/// Mean of all bytes of a channel, over 255.
double channel_mean(const data::Dataset& dataset, size_t channel) {
  Sample sample;
  double sum = 0.0;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    dataset.read(i, sample);
    for (size_t at = channel; at < sample.pixels.size(); at += 3) sum += sample.pixels[at];
  }
  return sum / 255.0 / 1024.0 / static_cast<double>(dataset.size());
}

TEST_CASE("real CIFAR-10 images are read whole") {
  const std::string folder = real_data("cifar-10-batches-bin");
  if (folder.empty()) return;
  const data::DatasetSplits pair = open_dataset(folder);
  CHECK(pair.train->info().classes.front() == "airplane");
  CHECK(pair.train->info().classes.back() == "truck");
  CHECK(pair.train->size() % 1000 == 0);
  CHECK(channel_mean(*pair.train, 0) == doctest::Approx(0.491).epsilon(0.005));
  CHECK(channel_mean(*pair.train, 1) == doctest::Approx(0.481).epsilon(0.005));
  CHECK(channel_mean(*pair.train, 2) == doctest::Approx(0.447).epsilon(0.005));
}

TEST_CASE("the first images of the official CIFAR-10 have their official labels") {
  const std::string folder = real_data("cifar-10-lossless-1000");
  if (folder.empty()) return;
  const data::DatasetPtr train =
      data::read_cifar(data::cifar10_layout(), {folder + "/data_batch_1.bin"});
  CHECK(train->size() == 1000);
  Sample sample;
  int64_t index = 0;
  for (const int64_t label : {6, 9, 9, 4, 1, 1, 2, 7, 8, 3}) {
    train->read(index++, sample);
    CHECK(testing::label_of(sample) == label);
  }
  CHECK(error_message([&] { open_dataset(folder); }).find("has no test_batch.bin") !=
        std::string::npos);
}

TEST_CASE("real CIFAR-100 images are read whole") {
  const std::string folder = real_data("cifar-100-binary");
  if (folder.empty()) return;
  const data::DatasetSplits pair = open_dataset(folder);
  CHECK(pair.train->info().classes.front() == "apple");
  CHECK(pair.train->info().classes.back() == "worm");
  std::vector<int64_t> counts(100, 0);
  Sample sample;
  for (int64_t i = 0; i < pair.test->size(); ++i) {
    pair.test->read(i, sample);
    ++counts[static_cast<size_t>(testing::label_of(sample))];
  }
  CHECK(counts == std::vector<int64_t>(100, pair.test->size() / 100));
}

}  // namespace
}  // namespace diagrad
