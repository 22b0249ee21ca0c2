#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/threads.h"
#include "diagrad/data/mix.h"
#include "diagrad/train/optim/sgd.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/run/step.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

using testing::error_message;
using testing::Recorder;
using testing::small_job;
using testing::TemporaryFolder;
using testing::text_of;

/// One process of a run of 10 steps with mixing and dropout.
TrainResult go_on(const std::string& out, Recorder& recorder,
                  const std::function<void(Options&)>& change = {}) {
  TrainJob job = small_job(out);
  job.model = std::make_shared<testing::ConvNet>(job.train->info().image, 10, 1);
  job.options.mixup = 0.8;
  job.options.cutmix = 1.0;
  job.options.task = "classify:label-smoothing=0.1";
  job.task = make_task(job.options.task);
  job.options.save_every = 2;
  job.options.resume = "auto";
  if (change) change(job.options);
  return train(job, recorder);
}

std::string last_of(const std::string& out) {
  return text_of(out + "/checkpoints/last.safetensors");
}

TEST_CASE("a mixed run in pieces ends with the same bits, for any threads and loader workers") {
  const TemporaryFolder folder;
  Recorder recorder;
  go_on(folder.path("straight"), recorder);
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    for (const int64_t workers : {0, 2}) {
      set_num_threads(threads);
      const std::string out = folder.path(fmt::format("pieces-{}-{}", threads, workers));
      for (const int64_t stop : {3, 7, 0}) {
        Recorder quiet;
        go_on(out, quiet, [&](Options& o) {
          o.workers = workers;
          o.max_steps = stop;
        });
      }
      CHECK(last_of(out) == last_of(folder.path("straight")));
      CHECK(testing::events_of(out) == testing::events_of(folder.path("straight")));
    }
  }
  set_num_threads(before);
}

TEST_CASE("while batches are mixed there is no training accuracy, and evaluation is as ever") {
  const TemporaryFolder folder;
  Recorder recorder;
  const std::string out = folder.path("run");
  const TrainResult result = go_on(out, recorder);
  REQUIRE(recorder.steps.size() == 10);
  for (const StepRow& row : recorder.steps) {
    CHECK(std::isfinite(value_of(row.metrics, "loss")));
    CHECK(std::isnan(value_of(row.metrics, "accuracy")));
    CHECK(metric_text(result.primary, value_of(row.metrics, "accuracy")) == "-");
  }
  for (const EpochRow& row : recorder.epochs) {
    CHECK(std::isnan(value_of(row.train, "accuracy")));
    CHECK(std::isfinite(value_of(row.eval, "accuracy")));
  }
  CHECK(std::isfinite(result.best));
  const std::string events = text_of(out + "/events.jsonl");
  const auto first = nlohmann::json::parse(events.substr(0, events.find('\n')));
  CHECK(first.at("train/accuracy").is_null());
  CHECK(first.at("train/loss").is_number());
  // The same weights measured without a run: their evaluation knows no mixing.
  TrainJob job = small_job(folder.path("unused"));
  testing::ConvNet net(job.train->info().image, 10, 1);
  restore(net.state_dict(), read_checkpoint(out + "/checkpoints/last.safetensors").part("model"),
          "last");
  CHECK(evaluate(*job.task, net, job.test, {}).metrics == result.last.metrics);
}

TEST_CASE("a step mixes each of its batches by its own number") {
  const TrainJob job = small_job("");
  data::Loader loader(job.train, {.batch = 8});
  loader.start(0);
  std::vector<data::Batch> batches(2);
  for (data::Batch& batch : batches) loader.next(batch);
  Options options = job.options;
  options.mixup = 1.0;
  options.seed = 6;
  double expected = 0.0;
  for (size_t i = 0; i < 2; ++i) {
    const data::Batch mixed =
        data::mix(batches[i], {.mixup = 1.0, .seed = 6}, 40 + static_cast<int64_t>(i));
    expected += 0.5 * job.task->forward(*job.model, mixed).loss.item();
  }
  Sgd optimizer(make_groups(job.model->named_parameters(), 0.0, {}), {});
  const auto loss_at = [&](int64_t first_batch) {
    Stepper stepper(*job.task, *job.model, optimizer, options);
    return stepper.run(batches, {.step = 1, .epoch = 1, .first_batch = first_batch}, 0.0).loss;
  };
  CHECK(loss_at(40) == expected);
  CHECK(loss_at(40) == expected);  // the batches are as before
  CHECK(loss_at(41) != expected);
}

TEST_CASE("values that mixing cannot have are refused, and a batch to overfit is not mixed") {
  Options options;
  options.mixup = -1.0;
  CHECK(error_message([&] { options.validate(); }) == "mixup: -1 is out of range, use 0 to 100");
  options.mixup = 0.2;
  options.mix_switch = 1.5;
  CHECK(error_message([&] { options.validate(); }) ==
        "mix-switch: 1.5 is out of range, use 0 to 1");
  options.mix_switch = 0.5;
  options.overfit_one_batch = true;
  options.data = "shapes:size=16,train=16,test=4";
  options.model = "resnet8";
  const TrainJob job = make_job(options);
  CHECK(job.options.mixup == 0.0);
}

TEST_CASE("a resume with other mixing is refused") {
  const TemporaryFolder folder;
  Recorder recorder;
  const std::string out = folder.path("run");
  go_on(out, recorder, [](Options& o) { o.max_steps = 3; });
  const std::string message =
      error_message([&] { go_on(out, recorder, [](Options& o) { o.mixup = 0.0; }); });
  CHECK(message.find("mixup=0.8 there, 0.0 here") != std::string::npos);
}

}  // namespace
}  // namespace diagrad::train
