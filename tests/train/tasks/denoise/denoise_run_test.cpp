// Whole runs of the task, by the trainer that knows no task.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "diagrad/nn/safetensors.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/report/reported_run.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using nlohmann::json;
using testing::error_message;
using testing::events_of;
using testing::Recorder;
using testing::TemporaryFolder;
using testing::text_of;

Options options_for(const std::string& out) {
  Options options;
  options.task = "denoise:steps=50,schedule=cosine,grid-images=16,grid-times=4";
  options.model = "timed-conv";
  options.attention = "none";
  options.data = "shapes:size=16,train=48,test=24";
  options.augment = {"flip"};
  options.batch = 16;
  options.epochs = 4;
  options.optimizer = "adamw";
  options.lr = 0.01;
  options.schedule = "constant";
  options.ema_decay = 0.9;
  options.workers = 0;
  options.out = out;
  return options;
}

Recorder run(const Options& options) {
  Recorder recorder;
  train(make_job(options), recorder);
  return recorder;
}

TEST_CASE("a run learns, shows raw and averaged weights, and reports the loss") {
  const TemporaryFolder folder;
  Options options = options_for(folder.path("run"));
  options.epochs = 12;
  const Recorder recorder = run(options);
  REQUIRE(recorder.epochs.size() == 12);
  CHECK(recorder.start.has_ema);
  CHECK(recorder.start.primary.name == "loss");
  const double first = value_of(recorder.epochs.front().eval, "loss");
  const double last = value_of(recorder.epochs.back().eval, "loss");
  CHECK(last < 0.8 * first);
  const double averaged = value_of(recorder.epochs.back().ema, "loss");
  CHECK(averaged < first);
  CHECK(averaged != last);
  const json test = json::parse(text_of(folder.path("run") + "/result.json")).at("test");
  CHECK(test.at("metric") == "loss");
  CHECK(test.at("better") == "lower");
  CHECK(test.at("examples") == 16);
  CHECK(test.at("last") == averaged);
  CHECK(text_of(folder.path("run") + "/metrics.csv").find("train/loss,test/loss,test_ema/loss") !=
        std::string::npos);
}

TEST_CASE("a run resumes to the same bits, and trains the same for any evaluations and saves") {
  const TemporaryFolder folder;
  const std::string last = "/checkpoints/last.safetensors";
  run(options_for(folder.path("whole")));
  Options parts = options_for(folder.path("parts"));
  parts.max_steps = 5;
  run(parts);
  parts.max_steps = 0;
  parts.resume = "auto";
  run(parts);
  CHECK(text_of(folder.path("whole") + last) == text_of(folder.path("parts") + last));
  CHECK(events_of(folder.path("whole")) == events_of(folder.path("parts")));

  Options seldom = options_for(folder.path("seldom"));
  seldom.eval_every = 4;
  seldom.eval_batch = 5;
  run(seldom);
  Options often = options_for(folder.path("often"));
  often.save_every = 1;
  run(often);
  for (const char* other : {"seldom", "often"}) {
    CAPTURE(other);
    const Checkpoint a = read_checkpoint(folder.path("whole") + last);
    const Checkpoint b = read_checkpoint(folder.path(other) + last);
    CHECK(nn::checksum(a.tensors, {}) == nn::checksum(b.tensors, {}));
  }
}

TEST_CASE(
    "a report shows generated images, after each epoch and at the end, and they change no bit") {
  const TemporaryFolder folder;
  Options options = options_for(folder.path("run"));
  options.model_opt = {"classes=10"};
  options.epochs = 2;
  Recorder recorder;
  testing::train_with_report(make_job(options), recorder);
  const auto gallery_of = [](const std::vector<Block>& blocks) {
    return std::get<Gallery>(blocks.at(1));
  };
  REQUIRE(recorder.evaluations.size() == 2);
  const Gallery first = gallery_of(recorder.evaluations[0].blocks);
  const Gallery last = gallery_of(recorder.evaluations[1].blocks);
  CHECK(first.title == "Generated images");
  CHECK(first.note == "From the same noise in every evaluation, 50 steps of DDIM.");
  REQUIRE(first.images.size() == 12);
  const std::string name = make_job(options).test->info().classes.at(4);
  CHECK(first.images[4].description == name);
  CHECK(first.images[4].captions.at(0).text == name);
  CHECK(first.images[4].pixels.size() == 16 * 16 * 3);
  CHECK(first.images[4].pixels != first.images[1].pixels);
  CHECK(first.images[4].pixels != last.images[4].pixels);
  // The weights at the end are those of the last epoch, on the same set.
  CHECK(gallery_of(recorder.result.last.blocks).images[4].pixels == last.images[4].pixels);
  const json blocks = json::parse(text_of(folder.path("run") + "/blocks.json"));
  CHECK(blocks.at("of") == "test set, weights at the end");
  CHECK(blocks.at("blocks").at(1).at("images").size() == 12);

  options.out = folder.path("without");
  options.task += ",preview-steps=0";
  const Recorder without = run(options);
  CHECK(without.result.last.blocks.size() == 1);
  const std::string last_file = "/checkpoints/last.safetensors";
  const Checkpoint a = read_checkpoint(folder.path("run") + last_file);
  const Checkpoint b = read_checkpoint(folder.path("without") + last_file);
  CHECK(nn::checksum(a.tensors, {}) == nn::checksum(b.tensors, {}));
}

TEST_CASE("a net trains on classes where it takes some") {
  const TemporaryFolder folder;
  Options options = options_for(folder.path("run"));
  options.model_opt = {"classes=10"};
  options.task += ",label-dropout=0.3";
  const Recorder recorder = run(options);
  CHECK(std::isfinite(value_of(recorder.epochs.back().eval, "loss")));
  CHECK(value_of(recorder.epochs.back().eval, "loss") <
        value_of(recorder.epochs.front().eval, "loss"));
}

TEST_CASE(
    "images of any set lie in [-1, 1], and are flipped where the user names no augmentation") {
  const TemporaryFolder folder;
  folder.write("data/data_batch_1.bin", testing::cifar_records(16, 10));
  folder.write("data/test_batch.bin", testing::cifar_records(8, 10));
  Options options = options_for(folder.path("run"));
  options.data = folder.path("data");
  const TrainJob job = make_job(options);
  CHECK(job.train->info().normalization == "cifar");
  CHECK(job.options.normalization == "half");
  options.normalization = "cifar10";
  CHECK(error_message([&] { make_job(options); }) ==
        "normalization: task denoise needs 'half', got 'cifar10'; leave --normalization out");
  options.normalization = "";
  options.augment = {};
  CHECK(make_job(options).options.augment == std::vector<std::string>{"flip"});
  options.task = "classify";
  options.model = "resnet8";
  CHECK(make_job(options).options.normalization == "cifar");
  CHECK(make_job(options).options.augment == std::vector<std::string>{"pad-crop:border=4", "flip"});
}

TEST_CASE("a model that gives no images, and classes of the task, are refused") {
  const TemporaryFolder folder;
  Options options = options_for(folder.path("run"));
  options.model = "resnet8";
  CHECK(error_message([&] { make_job(options); })
            .find("model: resnet8 takes an image and gives logits, task denoise needs an image and "
                  "a time and an image; tasks that fit: classify") == 0);
  options.model = "timed-conv";
  options.classes = 10;
  CHECK(error_message([&] { make_job(options); }).find("classes: 10 outputs, but task denoise") ==
        0);
  options.classes = 0;
  options.mixup = 0.2;
  CHECK(error_message([&] { make_job(options); }) ==
        "mixup: the targets of task denoise cannot be mixed; leave --mixup and --cutmix out");
}

}  // namespace
}  // namespace diagrad::train
