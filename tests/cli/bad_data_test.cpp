#include <doctest/doctest.h>

#include <filesystem>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"

// Data that is missing or damaged: exit code 3, the file and record by name, no run folder made.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

class CifarFolder {
 public:
  CifarFolder() {
    folder_.write("cifar/data_batch_1.bin", cifar_records(12, 10));
    folder_.write("cifar/test_batch.bin", cifar_records(8, 10));
  }

  std::string path(const std::string& file = "") const { return folder_.path("cifar/" + file); }
  void write(const std::string& file, const std::vector<uint8_t>& bytes) const {
    folder_.write("cifar/" + file, bytes);
  }
  /// Trains on it, is refused with `words`, and leaves no run folder.
  bool refused(const std::string& words) const {
    const std::string out = folder_.path("run");
    return refuses(small_train(out, {"--data", path()}), 3, words) && !fs::exists(out);
  }

 private:
  TemporaryFolder folder_;
};

TEST_CASE("whole CIFAR files train") {
  const CifarFolder cifar;
  const TemporaryFolder folder;
  make_small_run(folder.path("run"), {"--data", cifar.path()});
}

TEST_CASE("a CIFAR file that was cut is refused with its name and size") {
  const CifarFolder cifar;
  std::vector<uint8_t> bytes = cifar_records(12, 10);
  bytes.resize(bytes.size() - 100);
  cifar.write("data_batch_1.bin", bytes);
  CHECK(cifar.refused(cifar.path("data_batch_1.bin") +
                      " has 36776 bytes, that is 11 records of 3073 bytes and 2973 bytes of record "
                      "11; the file is cut short or of another format: fetch it again"));
  cifar.write("data_batch_1.bin", {});
  CHECK(cifar.refused("data_batch_1.bin is empty; fetch it again"));
}

TEST_CASE("a label that no class has is refused with its record") {
  const CifarFolder cifar;
  std::vector<uint8_t> bytes = cifar_records(8, 10);
  bytes[5 * 3073] = 10;
  cifar.write("test_batch.bin", bytes);
  CHECK(cifar.refused(cifar.path("test_batch.bin") + ", record 5: label 10 is outside 0..9"));
}

TEST_CASE("data that is not there is refused with what there is") {
  const CifarFolder cifar;
  fs::remove(cifar.path("test_batch.bin"));
  CHECK(cifar.refused("has no test_batch.bin; the set is incomplete, fetch it again"));
  fs::remove(cifar.path("data_batch_1.bin"));
  CHECK(cifar.refused("holds none of the files of a known format (known: cifar10, cifar100, "));
  const TemporaryFolder folder;
  const auto train = [&](const std::string& data) {
    return small_train(folder.path("run"), {"--data", data});
  };
  CHECK(refuses(train(folder.path("none")), 3, "does not exist (use a folder, or one of: cifar10"));
  CHECK(refuses(train("shaps"), 3, "--data: shaps does not exist, did you mean 'shapes'?"));
  const std::string file = folder.write("file", {1, 2, 3});
  CHECK(refuses(train(file), 3, "is a file, expected a folder; use the folder that holds it"));
  CHECK_FALSE(fs::exists(folder.path("run")));
}

TEST_CASE("an evaluation on data that does not fit the model is refused") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const auto before = contents(out);
  folder.write("cifar/train.bin", cifar_records(4, 100, 2));
  folder.write("cifar/test.bin", cifar_records(4, 100, 2));
  CHECK(refuses({"eval", out, "--data", folder.path("cifar")}, 3, "cifar100 has 100 classes, "));
  CHECK(refuses({"eval", out, "--data", folder.path("none")}, 3, "does not exist"));
  CHECK(contents(out) == before);
}

}  // namespace
}  // namespace diagrad::testing
