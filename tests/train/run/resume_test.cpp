#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/trainer.h"
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

/// One process of a run: as configured, from where the run stands.
TrainResult go_on(const std::string& out, const std::function<void(TrainJob&, Recorder&)>& change) {
  TrainJob job = small_job(out);
  job.model = std::make_shared<testing::ConvNet>(job.train->info().image, 10, 1);
  job.options.ema_decay = 0.9;
  job.options.save_every = 2;
  job.options.resume = "auto";
  Recorder recorder;
  change(job, recorder);
  return train(job, recorder);
}

std::string last_of(const std::string& out) {
  return text_of(out + "/checkpoints/last.safetensors");
}

class Threads {
 public:
  explicit Threads(int count) : before_(num_threads()) { set_num_threads(count); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// The final files of a run that nothing interrupts.
struct Straight {
  explicit Straight(const TemporaryFolder& folder) {
    const std::string out = folder.path("straight");
    go_on(out, [](TrainJob&, Recorder&) {});
    last = last_of(out);
    best = text_of(out + "/checkpoints/best.safetensors");
    events = events_of(out);
  }
  std::string last;
  std::string best;
  std::string events;
};

TEST_CASE("a run in pieces ends with the same bits, for any threads and loader workers") {
  const TemporaryFolder folder;
  const Straight straight(folder);
  CHECK(std::count(straight.events.begin(), straight.events.end(), '\n') == 10);
  for (const int threads : {1, 2, 3}) {
    for (const int64_t workers : {0, 1, 4}) {
      const Threads with(threads);
      const std::string out = folder.path(fmt::format("pieces-{}-{}", threads, workers));
      for (const int64_t stop : {3, 4, 5, 8, 0}) {  // within an epoch, at its end, to the end
        const TrainResult result = go_on(out, [&](TrainJob& job, Recorder&) {
          job.options.workers = workers;
          job.options.max_steps = stop;
        });
        CHECK(result.stopped == (stop > 0 ? "max-steps" : ""));
      }
      CHECK(last_of(out) == straight.last);
      CHECK(text_of(out + "/checkpoints/best.safetensors") == straight.best);
      CHECK(events_of(out) == straight.events);
    }
  }
}

TEST_CASE("a signal stops after the step, saved; in an evaluation, too") {
  const TemporaryFolder folder;
  const Straight straight(folder);
  const std::string out = folder.path("signals");
  TrainResult result = go_on(out, [](TrainJob&, Recorder& recorder) {
    recorder.act = [](const StepRow& row) {
      if (row.step == 3) std::raise(SIGTERM);
    };
  });
  CHECK(result.signal == SIGTERM);
  CHECK(result.steps == 3);
  CHECK_FALSE(fs::exists(out + "/result.json"));
  result = go_on(out, [](TrainJob&, Recorder& recorder) {
    recorder.act_on_evaluate = [](int64_t) { std::raise(SIGINT); };
  });
  CHECK(result.signal == SIGINT);
  CHECK(result.steps == 5);
  CHECK(result.epochs == 0);  // not closed before its evaluation
  result = go_on(out, [](TrainJob&, Recorder& recorder) {
    recorder.act = [](const StepRow& row) {
      if (row.step == 10) std::raise(SIGINT);
    };
  });
  CHECK(result.signal == SIGINT);
  result = go_on(out, [](TrainJob&, Recorder&) {});
  CHECK(result.signal == 0);
  CHECK(last_of(out) == straight.last);
  CHECK(text_of(out + "/checkpoints/best.safetensors") == straight.best);
  CHECK(events_of(out) == straight.events);
  CHECK(fs::exists(out + "/result.json"));
}

TEST_CASE("a time limit stops a run, saved") {
  const TemporaryFolder folder;
  const Straight straight(folder);
  const std::string out = folder.path("slow");
  const TrainResult result =
      go_on(out, [](TrainJob& job, Recorder&) { job.options.max_time = 1e-9; });
  CHECK(result.stopped == "max-time");
  CHECK(result.steps == 0);
  CHECK(result.last.examples == 20);
  go_on(out, [](TrainJob&, Recorder&) {});
  CHECK(last_of(out) == straight.last);
}

TEST_CASE("a damaged checkpoint costs the steps since the one before it, and no bit") {
  const TemporaryFolder folder;
  const Straight straight(folder);
  const std::string out = folder.path("damaged");
  go_on(out, [](TrainJob& job, Recorder&) { job.options.max_steps = 7; });
  const std::string path = out + "/checkpoints/last.safetensors";
  std::string bytes = last_of(out);
  bytes[bytes.size() - 100] ^= 1;
  fs::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
  go_on(out, [](TrainJob& job, Recorder& recorder) {
    job.options.max_steps = 8;
    recorder.act = [&recorder](const StepRow&) {
      REQUIRE(recorder.messages.size() == 1);
      CHECK(recorder.messages[0].find("is damaged") != std::string::npos);
      CHECK(recorder.start.resumed_at == 6);
    };
  });
  go_on(out, [](TrainJob&, Recorder&) {});
  CHECK(last_of(out) == straight.last);
  CHECK(events_of(out) == straight.events);
}

TEST_CASE("a run that is done stays as it is; one without a checkpoint begins again") {
  const TemporaryFolder folder;
  const Straight straight(folder);
  const TrainResult result = go_on(folder.path("straight"), [](TrainJob&, Recorder&) {});
  CHECK(result.steps == 10);
  CHECK(result.last.examples == 20);
  CHECK(last_of(folder.path("straight")) == straight.last);
  fs::remove_all(folder.path("straight/checkpoints"));
  go_on(folder.path("straight"), [](TrainJob&, Recorder&) {});
  CHECK(last_of(folder.path("straight")) == straight.last);
  CHECK(events_of(folder.path("straight")) == straight.events);
}

TEST_CASE("with a best checkpoint that is damaged or of another epoch, the result is of the last") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const auto split = [](TrainJob& job, Recorder&) {
    const data::Split parts = data::split_validation(job.train, 12, 0);
    job.train = parts.train;
    job.validation = parts.validation;
    job.options.val_split = 12;
    job.options.ema_decay = 0.0;
  };
  go_on(out, split);
  const std::string best = out + "/checkpoints/best.safetensors";
  Checkpoint other = read_checkpoint(best);
  const std::string whole = text_of(best);
  const auto replace = [&](const std::string& bytes) {
    fs::remove(best);
    std::ofstream(best, std::ios::binary) << bytes;
    fs::remove(out + "/result.json");
  };
  replace(whole);
  CHECK(go_on(out, split).best_epoch == other.info.progress.best_epoch);
  replace(whole.substr(0, whole.size() - 1));
  TrainResult result = go_on(out, split);
  CHECK(result.best_epoch == 0);
  CHECK(result.best == result.last.metric("accuracy"));
  other.info.progress.epoch = 7;
  fs::remove(best);
  {
    AtomicFile file(best);
    write_checkpoint(file, other);
    file.commit();
  }
  fs::remove(out + "/result.json");
  result = go_on(out, split);
  CHECK(result.best_epoch == 0);
  CHECK(result.best == result.last.metric("accuracy"));
}

TEST_CASE("a checkpoint with other sums than the task keeps is refused") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  go_on(out, [](TrainJob& job, Recorder&) { job.options.max_steps = 3; });  // within an epoch
  const std::string last = out + "/checkpoints/last.safetensors";
  Checkpoint other = read_checkpoint(last);
  REQUIRE(other.info.progress.sums.values.size() == 1);
  other.info.progress.sums.values = {1.0, 2.0};
  {
    AtomicFile file(last);
    write_checkpoint(file, other);
    file.commit();
  }
  CHECK(error_message([&] { go_on(out, [](TrainJob&, Recorder&) {}); }) ==
        last + ": has 2 sums of the epoch under way, task classify keeps 1; start a new run");
}

TEST_CASE("a checkpoint file continues in its run or in a new folder") {
  const TemporaryFolder folder;
  const Straight straight(folder);
  go_on(folder.path("first"), [](TrainJob& job, Recorder&) { job.options.max_steps = 5; });
  const std::string file = folder.path("first/checkpoints/last.safetensors");
  go_on(folder.path("second"), [&](TrainJob& job, Recorder&) { job.options.resume = file; });
  CHECK(last_of(folder.path("second")) == straight.last);
  go_on("", [&](TrainJob& job, Recorder&) { job.options.resume = file; });
  CHECK(last_of(folder.path("first")) == straight.last);
  CHECK(events_of(folder.path("first")) == straight.events);
}

}  // namespace
}  // namespace diagrad::train
