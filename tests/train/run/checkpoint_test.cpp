#include "diagrad/train/run/checkpoint.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "diagrad/core/error.h"
#include "diagrad/train/run/checkpoint_folder.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::TemporaryFolder;

Checkpoint example(int64_t step) {
  Checkpoint checkpoint;
  checkpoint.info.options.model = "resnet20";
  checkpoint.info.progress = {.step = step,
                              .epoch = 2,
                              .batch = 3,
                              .lr = 0.1,
                              .sums = {.examples = 384, .loss = 0.1 + 0.2, .values = {17.0}},
                              .last = {{"loss", 1.0 / 3.0}, {"accuracy", 0.7}},
                              .best = 0.71,
                              .best_epoch = 1};
  checkpoint.info.primary = {.name = "accuracy", .is_share = true};
  checkpoint.info.data = {.name = "pets",
                          .input = {32, 32, 3},
                          .classes = {"cat", "dog"},
                          .train_images = 500,
                          .validation_images = 20,
                          .test_images = 100,
                          .hash = ""};
  checkpoint.info.chosen_on = "test";
  const auto value = static_cast<double>(step);
  checkpoint.tensors = {{"model.fc.weight", Tensor::full({2, 3}, value)},
                        {"model.fc.bias", Tensor::full({2}, -value)},
                        {"optimizer.momentum.fc.bias", Tensor::full({2}, 0.5)}};
  return checkpoint;
}

void write(const std::string& path, const Checkpoint& checkpoint) {
  AtomicFile file(path);
  write_checkpoint(file, checkpoint);
  file.commit();
}

std::string bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A new file each time: truncating an old one costs a flush of the disk on some file systems.
void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a checkpoint comes back whole, and the same state is the same file") {
  const TemporaryFolder folder;
  const Checkpoint checkpoint = example(100);
  write(folder.path("a"), checkpoint);
  const Checkpoint back = read_checkpoint(folder.path("a"));
  CHECK(back.info.progress == checkpoint.info.progress);
  CHECK(back.info.primary.name == "accuracy");
  CHECK(back.info.primary.is_share);
  CHECK(back.info.data == checkpoint.info.data);
  CHECK(differences(back.info.options, checkpoint.info.options).empty());
  CHECK(checksum(back.tensors, {}) == checksum(checkpoint.tensors, {}));
  CHECK(back.part("model").size() == 2);
  CHECK(back.part("model").at("fc.bias").data<float>()[0] == -100.0F);

  Checkpoint bad = checkpoint;
  bad.info.progress.last[0].second = std::numeric_limits<double>::quiet_NaN();
  write(folder.path("nan"), bad);
  CHECK(std::isnan(read_checkpoint(folder.path("nan")).info.progress.last[0].second));

  Checkpoint elsewhere = back;
  elsewhere.info.options.threads = 3;  // where it runs is not part of the state
  elsewhere.info.options.out = "/another/folder";
  write(folder.path("b"), elsewhere);
  CHECK(bytes_of(folder.path("a")) == bytes_of(folder.path("b")));
}

TEST_CASE("damage anywhere in a checkpoint is found") {
  const TemporaryFolder folder;
  write(folder.path("good"), example(100));
  const std::string good = bytes_of(folder.path("good"));
  const std::string path = folder.path("bad");
  for (size_t place = 0; place < good.size(); ++place) {
    std::string bytes = good;
    bytes[place] = static_cast<char>(bytes[place] ^ (1 << (place % 8)));
    write_bytes(path, bytes);
    INFO("byte ", place);
    CHECK(kind_of([&] { read_checkpoint(path); }) == ErrorKind::checkpoint);
  }
  for (size_t size = 0; size < good.size(); size += 7) {
    write_bytes(path, good.substr(0, size));
    CHECK(kind_of([&] { read_checkpoint(path); }) == ErrorKind::checkpoint);
  }
  write_bytes(path, good + "x");
  CHECK(contains(error_message([&] { read_checkpoint(path); }), "the file has"));
}

TEST_CASE("files that are no checkpoint say what they are") {
  const TemporaryFolder folder;
  const std::string path = folder.path("other");
  write_safetensors(path, {{"a", Tensor::zeros({1})}}, {{"format", "pt"}});
  CHECK(error_message([&] { read_checkpoint(path); }) ==
        path + ": is a safetensors file, but no checkpoint of a diagrad run");
  const auto complaint = [&](const std::string& text) {
    Metadata metadata = {{"diagrad", text}};
    metadata["checksum"] = fmt::format("{:016x}", checksum({}, metadata));
    write_safetensors(path, {}, metadata);
    CHECK(kind_of([&] { read_checkpoint(path); }) == ErrorKind::checkpoint);
    return error_message([&] { read_checkpoint(path); }).substr(path.size() + 2);
  };
  CHECK(complaint(R"({"format":3})") == "has format 3, this diagrad reads 2");
  CHECK(complaint(R"({"format":1})") ==
        "has the old format 1, this diagrad reads 2; use the version that wrote it or train again");
  CHECK(complaint(R"({"format":2})") == "its description lacks something or is no JSON text");
  CHECK(complaint(R"({"format":2,"config":{"a\nb":1}})") ==
        "config: unknown option 'a\\nb'; was it written by a newer diagrad?");
  CHECK(complaint("{") == "its description lacks something or is no JSON text");
  CHECK(complaint("[]") == "its description lacks something or is no JSON text");
  CHECK(complaint(R"({"format":2,"config":{"batch":[)" + std::string(200000, '[')) ==
        "its description lacks something or is no JSON text");
  CHECK(complaint(R"({"format":2,"config":{"batch":)" + std::string(100000, '[') +
                  std::string(100000, ']') + "}}") ==
        "its description lacks something or is no JSON text");
  CHECK(complaint(R"({"format":2,"config":{"batch":[[1]]}})") ==
        "config: batch has a value of the wrong type (array)");
  CHECK(complaint(R"({"format":1e300})") == "has format 1e+300, this diagrad reads 2");
  CHECK(complaint(R"({"format":"\n"})") == R"(has format "\n", this diagrad reads 2)");
  CHECK(complaint(R"({"format":2,"config":{"seed":18446744073709551615}})") ==
        "config: seed has a value of the wrong type (number)");
}

TEST_CASE("a checkpoint of the old format is refused by its format, whatever its checksum") {
  const TemporaryFolder folder;
  const std::string path = folder.path("old.safetensors");
  write_safetensors(path, {}, {{"diagrad", R"({"format":1})"}, {"checksum", "0123456789abcdef"}});
  CHECK(error_message([&] { read_checkpoint(path); }) ==
        path +
            ": has the old format 1, this diagrad reads 2; use the version that wrote it or train "
            "again");
}

TEST_CASE("restoring into another model names what differs and changes nothing") {
  const TensorMap from = example(1).part("model");
  TensorMap live = {{"fc.weight", Tensor::zeros({2, 4})},
                    {"fc.bias", Tensor::zeros({2})},
                    {"bn.weight", Tensor::zeros({2})}};
  CHECK(kind_of([&] { restore(live, from, "last"); }) == ErrorKind::checkpoint);
  CHECK(error_message([&] { restore(live, from, "last"); }) ==
        "last: is of another model or setting: fc.weight is f32 [2,3] there, f32 [2,4] here; it "
        "lacks bn.weight; use the options it was trained with");
  CHECK(live.at("fc.bias").data<float>()[0] == 0.0F);
  live.clear();
  for (int i = 0; i < 6; ++i) live["p" + std::to_string(i)] = Tensor::zeros({1});
  CHECK(error_message([&] { restore(live, from, "last"); }) ==
        "last: is of another model or setting: it lacks p0, p1, p2 and 3 more; it has fc.bias, "
        "fc.weight in excess; use the options it was trained with");
  live = {{"fc.weight", Tensor::zeros({2, 3})}, {"fc.bias", Tensor::zeros({2})}};
  restore(live, from, "last");
  CHECK(live.at("fc.bias").data<float>()[1] == -1.0F);
}

TEST_CASE("last.prev is used where last is damaged or missing, and is not lost by it") {
  const TemporaryFolder folder;
  const std::string path = folder.path("checkpoints");
  CheckpointFolder first(path);
  first.prepare();
  CHECK_FALSE(first.find_last().has_value());
  for (const int64_t step : {1, 2, 3}) first.save_last(example(step));
  CHECK(first.find_last()->checkpoint.info.progress.step == 3);
  CHECK(read_checkpoint(first.file("last.prev")).info.progress.step == 2);

  write_bytes(first.file("last"), bytes_of(first.file("last")).substr(0, 700));
  CheckpointFolder second(path);
  const auto found = second.find_last();
  CHECK(found->checkpoint.info.progress.step == 2);
  CHECK(contains(found->warning, "last.safetensors: "));
  CHECK(contains(found->warning, "; continuing with the one before it"));
  second.save_last(example(4));  // replaces the damaged one, not the good one
  CHECK(read_checkpoint(second.file("last.prev")).info.progress.step == 2);
  CHECK(second.find_last()->checkpoint.info.progress.step == 4);

  fs::remove(second.file("last"));  // as after a kill between the two renames
  CheckpointFolder third(path);
  CHECK(third.find_last()->checkpoint.info.progress.step == 2);
  CHECK(third.find_last()->warning.empty());

  write_bytes(third.file("last"), "x");
  write_bytes(third.file("last.prev"), "y");
  CHECK(contains(error_message([&] { third.find_last(); }), "; and the one before it: "));
  fs::remove(third.file("last.prev"));
  CHECK(contains(error_message([&] { third.find_last(); }), "remove it to start again"));
}

TEST_CASE("best and kept epochs are second names; old ones and stale temporaries are removed") {
  const TemporaryFolder folder;
  const CheckpointFolder unprepared(folder.path("c"));
  CheckpointFolder store = unprepared;
  store.prepare();
  for (int64_t epoch = 1; epoch <= 4; ++epoch) {
    store.save_last(example(epoch * 10));
    if (epoch == 2) store.mark_best();
    store.keep_epoch(epoch, 2);
    store.keep_epoch(epoch, 2);  // as after a kill in between
  }
  CHECK(read_checkpoint(store.file("best")).info.progress.step == 20);
  CHECK_FALSE(store.has("epoch-0002"));
  CHECK(read_checkpoint(store.file("epoch-0003")).info.progress.step == 30);
  CHECK(store.has("epoch-0004"));
  write_bytes(store.file("last") + ".tmp", "half");
  store.prepare();
  CHECK_FALSE(fs::exists(store.file("last") + ".tmp"));
}

TEST_CASE("kept epochs of a future that was given up do not push out the new ones") {
  const TemporaryFolder folder;
  CheckpointFolder store(folder.path("c"));
  store.prepare();
  for (const int64_t epoch : {7, 8, 9, 3, 4, 5}) {
    store.save_last(example(epoch * 10));
    store.keep_epoch(epoch, 2);
  }
  CHECK_FALSE(store.has("epoch-0003"));
  CHECK(read_checkpoint(store.file("epoch-0004")).info.progress.step == 40);
  CHECK(read_checkpoint(store.file("epoch-0005")).info.progress.step == 50);
}

TEST_CASE("a state is the newest of a folder where nothing whole is beyond it") {
  const TemporaryFolder folder;
  CheckpointFolder store(folder.path("c"));
  store.prepare();
  const auto refusal = [&](int64_t step) {
    return error_message([&] { store.check_newest(example(step).info.progress, "file"); });
  };
  CHECK(refusal(0).empty());  // an empty folder
  for (const int64_t step : {1, 2, 3}) store.save_last(example(step));
  CHECK(refusal(3).empty());
  CHECK(refusal(4).empty());
  CHECK(refusal(2) ==
        "resume: file is at step 2, and its run has come to step 3; go back in a new folder with "
        "--out, or go on with --resume auto");
  write_bytes(store.file("last"), "x");
  CHECK(refusal(2).empty());
  CHECK_FALSE(refusal(1).empty());
  write_bytes(store.file("last.prev"), "y");
  CHECK(refusal(1).empty());  // whatever is whole is all there is
}

TEST_CASE("the space that is asked for is what may still be written") {
  // An empty folder will hold last, last.prev, an older best and the next one.
  CHECK(space_to_come(100, 0, 0) == 400);
  CHECK(space_to_come(100, 3, 0) == 700);
  CHECK(space_to_come(100, 0, 250) == 150);
  // One is always written, whatever is there.
  CHECK(space_to_come(100, 0, 1000) == 100);
  check_space("run", 4 << 20, 4 << 20);
  CHECK(error_message([] { check_space("run", (4 << 20) + 1, 4 << 20); }) ==
        "run: has 4 MiB of free space, the checkpoints to come need 5; free some or choose another "
        "folder with --out");
}

TEST_CASE("files with several names take their space once") {
  const TemporaryFolder folder;
  CheckpointFolder store(folder.path("c"));
  store.prepare();
  CHECK(store.bytes() == 0);
  store.save_last(example(1));
  const auto one = static_cast<int64_t>(fs::file_size(store.file("last")));
  store.mark_best();
  store.keep_epoch(1, 0);
  CHECK(store.bytes() == one);
  store.save_last(example(2));
  CHECK(store.bytes() == 2 * one);
}

/// Files of this process may not grow beyond `bytes` while alive, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*signal_)(int) = nullptr;
};

TEST_CASE("a full disk or a folder that cannot be made is one line, and the last good one stays") {
  const TemporaryFolder folder;
  CheckpointFolder store(folder.path("c"));
  store.prepare();
  store.save_last(example(1));
  {
    const FileSizeLimit full(1000);
    const std::string text = error_message([&] { store.save_last(example(2)); });
    CHECK(text == store.file("last") + ": cannot write: File too large");
  }
  CHECK(store.find_last()->checkpoint.info.progress.step == 1);
  CHECK_FALSE(fs::exists(store.file("last") + ".tmp"));
  store.save_last(example(3));
  CHECK(store.find_last()->checkpoint.info.progress.step == 3);

  write_bytes(folder.path("file"), "");
  CHECK(error_message([&] { CheckpointFolder(folder.path("file") + "/c").prepare(); }) ==
        folder.path("file") +
            "/c: cannot be made: Not a directory; choose another folder with "
            "--out");
}

TEST_CASE("tensors with a NaN or an infinity are named") {
  TensorMap tensors = {{"a", Tensor::ones({3})}, {"b", Tensor::ones({2}, DType::bf16)}};
  tensors["n"] = Tensor::arange(4);
  CHECK(first_not_finite(tensors).empty());
  tensors.at("b").fill_(std::numeric_limits<double>::infinity());
  CHECK(first_not_finite(tensors) == "b");
}

}  // namespace
}  // namespace diagrad::train
