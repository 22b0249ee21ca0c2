#include "diagrad/train/run/trainer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <new>
#include <nlohmann/json.hpp>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/train/run/checkpoint.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::events_of;
using testing::Recorder;
using testing::small_job;
using testing::TemporaryFolder;
using testing::text_of;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST_CASE("a run writes its folder and says how it went") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.options.keep_every = 1;
  Recorder recorder;
  const TrainResult result = train(job, recorder);

  CHECK(recorder.start.steps_per_epoch == 5);
  CHECK(recorder.start.parameters == 16 * 16 * 3 * 10 + 10);
  REQUIRE(recorder.steps.size() == 10);
  CHECK(recorder.steps[4].images == 4);
  CHECK(recorder.steps[5].epoch == 2);
  REQUIRE(recorder.epochs.size() == 2);
  CHECK(value_of(recorder.epochs[1].train, "loss") < value_of(recorder.epochs[0].train, "loss"));
  CHECK(recorder.epochs[1].eval_set == "test");
  CHECK(result.steps == 10);
  CHECK(result.last.examples == 20);
  CHECK(result.last.metric("accuracy") == value_of(recorder.epochs[1].eval, "accuracy"));
  CHECK(result.best ==
        std::max(value_of(recorder.epochs[0].eval, "accuracy"), result.last.metric("accuracy")));
  CHECK(result.primary.name == "accuracy");
  CHECK(result.stopped.empty());

  const std::string run = folder.path("run");
  for (const char* name : {"config.toml", "env.json", "metrics.csv", "events.jsonl", "result.json",
                           "checkpoints/last.safetensors", "checkpoints/last.prev.safetensors",
                           "checkpoints/best.safetensors", "checkpoints/epoch-0002.safetensors"}) {
    INFO(name);
    CHECK(fs::exists(run + "/" + name));
  }
  const auto json = nlohmann::json::parse(text_of(run + "/result.json"));
  for (const char* key :
       {"task", "parameters", "epochs", "steps", "seconds", "images_per_second", "seed", "test"}) {
    CHECK(json.contains(key));
  }
  CHECK(json["test"]["last"].get<double>() == result.last.metric("accuracy"));
  CHECK(json["test"]["best"].get<double>() == result.best);
  CHECK(json["test"]["best_epoch"].get<int64_t>() == result.best_epoch);
  CHECK(json["test"]["best_chosen_on"] == "test");
  const Checkpoint last = read_checkpoint(run + "/checkpoints/last.safetensors");
  CHECK(last.info.progress.step == 10);
  CHECK(last.info.progress.epoch == 2);
  CHECK(last.tensors.count("optimizer.momentum.weight") == 1);
}

TEST_CASE(
    "with a validation split it chooses the best epoch, and the test set is seen at the end") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  const data::Split split = data::split_validation(job.train, 12, 0);
  job.train = split.train;
  job.validation = split.validation;
  job.options.val_split = 12;
  Recorder recorder;
  const TrainResult result = train(job, recorder);
  CHECK(result.chosen_on == "validation");
  CHECK(recorder.epochs[0].eval_set == "validation");
  CHECK(result.last.examples == 20);
  CHECK(contains(text_of(folder.path("run/metrics.csv")), ",validation/accuracy,"));
}

TEST_CASE("a loss that is not finite stops the run and names the first bad operation") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.options.lr = 1e38;
  job.options.schedule = "constant";
  Recorder recorder;
  CHECK(kind_of([&] { train(job, recorder); }) == ErrorKind::diverged);
  job = small_job(folder.path("again"));
  job.options.lr = 1e38;
  const std::string text = error_message([&] { train(job, recorder); });
  INFO(text);
  CHECK(contains(text, "diverged at step 2 (epoch 1): the loss is "));
  CHECK(contains(text, "first bad operation: linear, forward, output f32 [8,10]"));
  CHECK(contains(text, "try a smaller --lr than 1e+38"));
  CHECK_FALSE(fs::exists(folder.path("again/checkpoints/last.safetensors")));
  // The good step before it is on record.
  CHECK(contains(text_of(folder.path("again/events.jsonl")), "\"step\":1,"));
}

/// A linear net behind an operation whose derivative goes wrong at one step.
class SickNet : public testing::LinearNet {
 public:
  using LinearNet::LinearNet;
  int passes = 0;
  Tensor forward(const Tensor& images) override {
    const Tensor logits = LinearNet::forward(images);
    const double factor = ++passes >= 4 ? NAN : 1.0;  // from the fourth on: the replay sees it, too
    return autograd::record({"sick"}, {logits}, logits.clone(),
                            [factor](const autograd::BackwardContext& context) {
                              const Tensor gradient = context.gradient().clone();
                              if (std::isnan(factor)) gradient.fill_(factor);
                              return autograd::Gradients{gradient};
                            });
  }
};

TEST_CASE("a gradient that is not finite stops the run before the update") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.model = std::make_shared<SickNet>(Shape{16, 16, 3}, 10, 1);
  job.options.save_every = 2;
  Recorder recorder;
  const std::string text = error_message([&] { train(job, recorder); });
  CHECK(contains(text, "diverged at step 4 (epoch 1): the loss is "));
  CHECK(contains(text, ", the gradient norm nan; "));
  CHECK(contains(text, "first bad operation: sick, backward, gradient f32 [8,10]; "));
  CHECK(read_checkpoint(folder.path("run/checkpoints/last.safetensors")).info.progress.step == 2);
}

TEST_CASE("weights that an update made infinite are not saved") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.options.lr = 1e300;
  job.options.max_steps = 1;
  Recorder recorder;
  const std::string text = error_message([&] { train(job, recorder); });
  CHECK(contains(text, "diverged at step 1 (epoch 1): model."));
  CHECK(contains(text, "so it was not saved"));
  CHECK_FALSE(fs::exists(folder.path("run/checkpoints/last.safetensors")));
}

TEST_CASE("a checkpoint of another model or of other options is refused with what differs") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.options.epochs = 1;
  Recorder recorder;
  train(job, recorder);

  TrainJob other = small_job(folder.path("run"));
  other.options.resume = "auto";
  other.options.model = "wider";
  other.model = std::make_shared<testing::LinearNet>(Shape{16, 16, 3}, 12, 1);
  CHECK(kind_of([&] { train(other, recorder); }) == ErrorKind::checkpoint);
  const std::string text = error_message([&] { train(other, recorder); });
  CHECK(contains(text,
                 "last.safetensors: is of another model or setting: model.bias is f32 [10] "
                 "there, f32 [12] here, "));
  CHECK(contains(text, "; model=\"linear\" there, \"wider\" here"));

  TrainJob faster = small_job(folder.path("run"));
  faster.options.resume = "auto";
  faster.options.lr = 0.5;
  CHECK(contains(error_message([&] { train(faster, recorder); }),
                 "was made with other options: lr=0.01 there, 0.5 here; give the same ones or "
                 "start a new run"));

  TrainJob longer = small_job(folder.path("run"));
  longer.options.resume = "auto";
  longer.options.epochs = 3;
  recorder.messages.clear();
  CHECK(train(longer, recorder).steps == 15);
  REQUIRE(recorder.messages.size() == 1);
  CHECK(contains(recorder.messages[0],
                 "resume: 1 epochs before, 3 now; goes on after 1 of 3 epochs; learning rate "));
}

TEST_CASE("resuming from a file that cannot be used leaves nothing behind") {
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.options.resume = folder.path("absent.safetensors");
  Recorder recorder;
  CHECK(error_message([&] { train(job, recorder); }) ==
        folder.path("absent.safetensors") + ": cannot read: No such file or directory");
  CHECK_FALSE(fs::exists(folder.path("run")));
}

/// Fails at one image, and knows its name.
class BrokenDataset : public testing::CountingDataset {
 public:
  using CountingDataset::CountingDataset;
  int64_t broken = -1;
  void read(int64_t index, data::Sample& sample) const override {
    if (index == broken) fail(ErrorKind::data, "{}: unreadable", source(index));
    CountingDataset::read(index, sample);
  }
};

TEST_CASE("an image that cannot be read ends the run, saved as it was before its step") {
  const TemporaryFolder folder;
  const auto broken = std::make_shared<BrokenDataset>(36, Shape{16, 16, 3});
  TrainJob job = small_job(folder.path("run"));
  job.train = broken;
  broken->broken = 17;
  Recorder recorder;
  CHECK(kind_of([&] { train(job, recorder); }) == ErrorKind::data);
  const size_t good = recorder.steps.size();
  CHECK(good < 5);
  broken->broken = -1;
  job = small_job(folder.path("run"));
  job.train = broken;
  job.options.resume = "auto";
  recorder = Recorder();
  CHECK(train(job, recorder).steps == 10);
  CHECK(recorder.start.resumed_at == static_cast<int64_t>(good));
}

TEST_CASE("a run that memory is too short for says so") {
  class Large : public testing::CountingDataset {
   public:
    using CountingDataset::CountingDataset;
    void read(int64_t index, data::Sample& sample) const override {
      if (index == 17 && ++reads_ > 2) throw std::bad_alloc();  // two are for the identity
      CountingDataset::read(index, sample);
    }

   private:
    mutable std::atomic<int> reads_ = 0;
  };
  const TemporaryFolder folder;
  TrainJob job = small_job(folder.path("run"));
  job.train = std::make_shared<Large>(36, Shape{16, 16, 3});
  Recorder recorder;
  const std::string message = error_message([&] { train(job, recorder); });
  CHECK(message == fmt::format("out of memory after step {}; try a smaller --batch than 8 or a "
                               "smaller model; there is no checkpoint yet",
                               recorder.steps.size()));
  CHECK(recorder.failures == std::vector<std::string>{message});
}

TEST_CASE("batches that are accumulated make the step of one large batch") {
  const TemporaryFolder folder;
  const auto weights = [&](int64_t batch, int64_t accumulate) {
    TrainJob job = small_job(folder.path("run" + std::to_string(accumulate)));
    job.options.batch = batch;
    job.options.accumulate = accumulate;
    job.options.augment = {"none"};
    job.options.epochs = 1;
    job.model = std::make_shared<testing::LinearNet>(Shape{16, 16, 3}, 10, 1, DType::f64);
    Recorder recorder;
    CHECK(train(job, recorder).steps == (36 + batch * accumulate - 1) / (batch * accumulate));
    return read_checkpoint(job.options.out + "/checkpoints/last.safetensors").part("model");
  };
  const TensorMap whole = weights(24, 1);  // steps of 24 and 12 images
  const TensorMap parts = weights(8, 3);
  for (const auto& named : whole) {
    const auto* a = named.second.data<double>();
    const auto* b = parts.at(named.first).data<double>();
    for (int64_t i = 0; i < named.second.numel(); i += 97) {
      CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-10));
    }
  }
}

}  // namespace
}  // namespace diagrad::train
