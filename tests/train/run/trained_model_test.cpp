#include "diagrad/train/run/trained_model.h"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>

#include "diagrad/core/allocator.h"
#include "diagrad/core/error.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/job.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

using testing::error_message;
using testing::TemporaryFolder;
using Clock = std::chrono::steady_clock;

/// A checkpoint of a net of 8 layers, written to `path` after `change`.
void write(const std::string& path, const std::function<void(Checkpoint&)>& change) {
  Checkpoint checkpoint;
  Options& options = checkpoint.info.options;
  options.model = "resnet";
  options.model_opt = {"depth=8", "width=4"};
  options.attention = "dia-lstm";
  options.classes = 10;
  checkpoint.info.data.input = {16, 16, 3};
  checkpoint.info.chosen_on = "test";
  const auto model = make_model(options, checkpoint.info.data.input, options.classes);
  for (const auto& named : model->state_dict()) {
    checkpoint.tensors["model." + named.first] = named.second;
  }
  change(checkpoint);
  AtomicFile file(path);
  write_checkpoint(file, checkpoint);
  file.commit();
}

TEST_CASE("a model comes back with its weights, whatever its size") {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.safetensors");
  Checkpoint written;
  for (const char* width : {"width=1", "width=4", "width=64"}) {
    write(path, [&](Checkpoint& checkpoint) {
      Options& options = checkpoint.info.options;
      options.model_opt = {"depth=8", width};
      const auto model = make_model(options, checkpoint.info.data.input, options.classes);
      checkpoint.tensors.clear();
      for (const auto& named : model->state_dict()) {
        checkpoint.tensors["model." + named.first] = named.second;
      }
      written = checkpoint;
    });
    const TrainedModel trained = load_trained(path);
    CHECK_FALSE(trained.model->is_training());
    CHECK(checksum(trained.model->state_dict(), {}) == checksum(written.part("model"), {}));
  }
}

TEST_CASE("a small file that describes a giant is refused soon and with little memory") {
  const TemporaryFolder folder;
  const std::string path = folder.path("giant.safetensors");
  using Change = std::function<void(Checkpoint&)>;
  const Change giants[] = {
      [](Checkpoint& c) {
        c.info.options.model_opt = {"depth=10000", "width=4096"};
      },
      [](Checkpoint& c) {
        c.info.options.model_opt = {"depth=8", "width=4096"};
      },
      [](Checkpoint& c) {
        c.info.options.model_opt = {"depth=9998", "width=16"};
      },
      [](Checkpoint& c) {
        c.info.options.model_opt = {"depth=9992", "width=64", "block=bottleneck"};
      },
      [](Checkpoint& c) { c.info.options.classes = 1'000'000; },
      [](Checkpoint& c) {
        c.info.data.input = {16, 16, int64_t{1} << 40};
      },
      [](Checkpoint& c) {
        c.info.data.input = {16, 16, int64_t{1} << 60};
      },
      [](Checkpoint& c) {
        c.info.options.attention = "se:reduction=1";
        c.info.options.sharing = "block";
        c.info.options.model_opt = {"depth=2000", "width=32"};
      }};
  for (const Change& change : giants) {
    write(path, change);
    CpuAllocator::instance().reset_peak();
    const int64_t before = CpuAllocator::instance().stats().peak_bytes;
    const auto start = Clock::now();
    const std::string message = error_message([&] { load_trained(path); });
    INFO(message);
    CHECK(message.rfind(path + ": this program cannot build its model: ", 0) == 0);
    CHECK(CpuAllocator::instance().stats().peak_bytes - before < int64_t{16} << 20);
    CHECK(Clock::now() - start < std::chrono::seconds(20));
  }
}

TEST_CASE("a run in double precision can be read again") {
  const TemporaryFolder folder;
  const std::string path = folder.path("f64.safetensors");
  write(path, [](Checkpoint& checkpoint) {
    checkpoint.info.options.precision = "f64";
    for (auto& named : checkpoint.tensors) {
      if (is_floating(named.second.dtype())) named.second = named.second.to(DType::f64);
    }
  });
  const TrainedModel trained = load_trained(path);
  CHECK(trained.model->named_parameters().front().tensor.dtype() == DType::f64);
}

}  // namespace
}  // namespace diagrad::train
