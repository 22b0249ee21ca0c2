#include <doctest/doctest.h>

#include <string>

#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

// --checkpoint-blocks changes no bit of a run.

namespace diagrad::train {
namespace {

using testing::text_of;

/// A run, or a piece of one, with everything on that depends on how often or when a block runs:
/// batch statistics, dropout, states of a shared unit, accumulated batches, the moving average.
void go_on(const std::string& out, bool checkpoint_blocks, int64_t max_steps = 0) {
  Options options;
  options.model = "resnet14";
  options.model_opt = {"width=4"};
  options.attention = "dia-lstm:cells=2,dropout=0.2";
  options.data = "shapes:size=16,train=48,test=8";
  options.batch = 8;
  options.accumulate = 2;
  options.epochs = 2;
  options.ema_decay = 0.9;
  options.mixup = 0.8;
  options.clip_grad_norm = 1.0;
  options.workers = 0;
  options.out = out;
  options.resume = "auto";
  options.checkpoint_blocks = checkpoint_blocks;
  options.max_steps = max_steps;
  testing::Recorder recorder;
  train(make_job(options), recorder);
}

TEST_CASE("a run with checkpoints of blocks has the bits of one without, also switched on resume") {
  const testing::TemporaryFolder folder;
  go_on(folder.path("plain"), false);
  go_on(folder.path("checkpointed"), true);
  go_on(folder.path("mixed"), true, 2);
  go_on(folder.path("mixed"), false, 4);
  go_on(folder.path("mixed"), true);
  const std::string file = "/checkpoints/last.safetensors";
  for (const char* run : {"checkpointed", "mixed"}) {
    CHECK(text_of(folder.path(run) + file) == text_of(folder.path("plain") + file));
    CHECK(testing::events_of(folder.path(run)) == testing::events_of(folder.path("plain")));
  }
  CHECK(text_of(folder.path("plain") + file).size() > 1000);
}

TEST_CASE("a model without blocks refuses --checkpoint-blocks in one line") {
  Options options;
  options.model = "token-net";
  options.attention = "none";
  options.data = "shapes:size=16,train=16,test=4";
  options.checkpoint_blocks = true;
  CHECK(testing::error_message([&] { make_job(options); }) ==
        "checkpoint-blocks: model token-net does not offer it; leave it out");
}

}  // namespace
}  // namespace diagrad::train
