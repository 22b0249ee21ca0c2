// The optimizer, the schedule, the task, the model and the command that CONTRIBUTING.md adds.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "diagrad/models/registry.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/main.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/optim/schedule.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/trainer.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

template <typename Info>
bool has(const std::vector<Info>& all, const std::string& name) {
  return std::any_of(all.begin(), all.end(), [&](const Info& info) { return info.name == name; });
}

TEST_CASE("the optimizer that CONTRIBUTING.md adds takes the steps of its formula") {
  CHECK(has(train::optimizers(), "rmsprop"));
  const Tensor parameter = Tensor::full({3}, 1.0, DType::f64);
  parameter.set_requires_grad(true);
  const Tensor frozen = Tensor::full({2}, 1.0, DType::f64);
  frozen.set_requires_grad(true);
  parameter.set_grad(Tensor::full({3}, 4.0, DType::f64));
  const auto optimizer = train::make_optimizer(
      "rmsprop:alpha=0.75,epsilon=0.5", {},
      {{.parameters = {{"p", parameter}, {"q", frozen}}, .weight_decay = 1.0}});
  optimizer->step(0.1, 0.5);
  // g = 0.5 * 4 + 1 * 1 = 3, v = 0.25 * 9
  const double once = 1.0 - 0.1 * 3.0 / (1.5 + 0.5);
  CHECK(parameter.data<double>()[2] == doctest::Approx(once).epsilon(1e-14));
  optimizer->step(0.1, 0.5);
  const double g = 2.0 + once;
  const double twice = once - 0.1 * g / (std::sqrt(0.75 * 2.25 + 0.25 * g * g) + 0.5);
  CHECK(parameter.data<double>()[0] == doctest::Approx(twice).epsilon(1e-14));
  CHECK(frozen.data<double>()[0] == 1.0);
  CHECK(optimizer->state().count("square.p") == 1);
  CHECK(testing::error_message([&] { train::make_optimizer("rmsprop", 0.9, {}); }) != "");
}

TEST_CASE("the schedule that CONTRIBUTING.md adds falls in a straight line behind the warm-up") {
  CHECK(has(train::schedules(), "linear"));
  const train::LearningRate rate({.schedule = "linear:end=0.5",
                                  .warmup = "2steps",
                                  .peak = 3.0,
                                  .epochs = 2,
                                  .steps_per_epoch = 5});
  const double expected[] = {1.0, 2.0, 3.0, 3.0 - 1.5 / 8};
  for (int64_t step = 0; step < 4; ++step) {
    CHECK(rate.lr(step) == doctest::Approx(expected[step]).epsilon(1e-14));
  }
  CHECK(rate.lr(9) == doctest::Approx(3.0 - 1.5 * 7 / 8).epsilon(1e-14));
  CHECK(rate.highest() == 2);
}

class EpochRecorder : public train::TrainListener {
 public:
  void on_epoch(const train::EpochRow& row, bool /*best*/) override { epochs.push_back(row); }
  std::vector<train::EpochRow> epochs;
};

train::Options slope_options(const std::string& out) {
  train::Options options;
  options.task = "slope";
  options.data = "ramps:train=40";
  options.model = "chain";
  options.model_opt = {"width=8", "blocks=1"};
  options.attention = "my-gate";
  options.optimizer = "rmsprop";
  options.schedule = "linear";
  options.augment = {"none"};
  options.epochs = 8;
  options.batch = 8;
  options.workers = 0;
  options.out = out;
  return options;
}

TEST_CASE("the task that CONTRIBUTING.md adds trains, with everything else that the page adds") {
  CHECK(has(train::tasks(), "slope"));
  CHECK(has(models::list(), "chain"));
  const testing::TemporaryFolder folder;
  EpochRecorder recorder;
  const train::TrainResult result =
      train::train(train::make_job(slope_options(folder.path("run"))), recorder);
  CHECK(result.steps == 40);
  CHECK(result.primary.name == "mean_absolute_error");
  CHECK_FALSE(result.primary.higher_is_better);
  // The set brings validation images, which choose the epoch with the least error.
  CHECK(result.chosen_on == "validation");
  REQUIRE(recorder.epochs.size() == 8);
  double least = 1e30;
  int64_t epoch_of_least = 0;
  for (const train::EpochRow& row : recorder.epochs) {
    const double error = train::value_of(row.eval, "mean_absolute_error");
    if (error < least) epoch_of_least = row.epoch;
    least = std::min(least, error);
  }
  CHECK(result.best_epoch == epoch_of_least);
  const double first = train::value_of(recorder.epochs.front().train, "mean_absolute_error");
  CHECK(train::value_of(recorder.epochs.back().train, "mean_absolute_error") < 0.5 * first);
  REQUIRE(result.last.blocks.size() == 1);
  CHECK(std::get<train::Series>(result.last.blocks[0]).x.size() == 20);
  const std::string text = text_of(folder.path("run/result.json"));
  CHECK(text.find("\"mean_absolute_error\"") != std::string::npos);
}

TEST_CASE("data without the target of the task that CONTRIBUTING.md adds are refused") {
  train::Options options = slope_options("");
  options.data = "shapes:train=20";
  CHECK(testing::error_message([&] {
          train::make_job(options);
        }).find("data: task slope needs the target slope (f32), shapes has ") == 0);
}

/// The exit code of a command line in this program, and what it writes to standard output.
int run_here(std::vector<std::string> words, std::string& output) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path("output");
  std::fflush(stdout);
  const int kept = dup(STDOUT_FILENO);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);  // NOLINT
  dup2(file, STDOUT_FILENO);
  close(file);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int code = cli::main(static_cast<int>(words.size()), arguments.data());
  std::fflush(stdout);
  dup2(kept, STDOUT_FILENO);
  close(kept);
  output = text_of(path);
  return code;
}

TEST_CASE("the command that CONTRIBUTING.md adds runs, and is in the help") {
  CHECK(has(cli::commands(), "weights"));
  std::string output;
  CHECK(run_here({"diagrad", "weights", "chain"}, output) == 0);
  CHECK(output.find("blocks.2.conv.weight ") != std::string::npos);
  CHECK(output.find("[16,3,3,16]") != std::string::npos);
  CHECK(run_here({"diagrad", "--help"}, output) == 0);
  CHECK(output.find("list the parameters of a model") != std::string::npos);
}

}  // namespace
}  // namespace diagrad
