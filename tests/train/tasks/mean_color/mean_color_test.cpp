#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/train/cli/main.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/trainer.h"
#include "tests/support/op_case.h"
#include "tests/train/support.h"

// The second task goes through every layer, and nobody outside its folder knows it.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using train::Options;

/// Sends a descriptor of this process to a file until the end of the scope.
class Redirected {
 public:
  Redirected(int descriptor, const std::string& path)
      : descriptor_(descriptor), before_(dup(descriptor)) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);  // NOLINT
    dup2(file, descriptor_);
    close(file);
  }
  ~Redirected() {
    dup2(before_, descriptor_);
    close(before_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  int descriptor_;
  int before_;
};

struct Output {
  int code = 0;
  std::string out;
  std::string err;
};

/// The program inside this process, which knows the registrations of the tests.
Output run_here(const TemporaryFolder& folder, std::vector<std::string> words) {
  words.insert(words.begin(), "diagrad");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  Output result;
  {
    std::fflush(stdout);
    std::fflush(stderr);
    const Redirected out(STDOUT_FILENO, folder.path("out"));
    const Redirected err(STDERR_FILENO, folder.path("err"));
    result.code = cli::main(static_cast<int>(arguments.size()), arguments.data());
    std::fflush(stdout);
    std::fflush(stderr);
  }
  result.out = text_of(folder.path("out"));
  result.err = text_of(folder.path("err"));
  return result;
}

std::vector<std::string> train_words(const std::string& out, std::vector<std::string> more = {}) {
  std::vector<std::string> words = {
      "train", "--task",    "mean-color", "--model",   "timed-mean", "--attention",
      "none",  "--data",    "colors",     "--batch",   "8",          "--epochs",
      "4",     "--lr",      "0.3",        "--augment", "none",       "--out",
      out,     "--workers", "0",          "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a task of another kind trains, and shows in progress, logs, result and report") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Output output = run_here(folder, train_words(run));
  CAPTURE(output.err);
  REQUIRE(output.code == 0);
  CHECK(contains(output.out, "48 training and 12 validation images"));
  CHECK(contains(output.out, "color_error 0."));
  CHECK(contains(output.out, "validation loss 0."));
  CHECK(contains(output.out, "which the validation set chose"));
  const std::string metrics = text_of(run + "/metrics.csv");
  CHECK(contains(metrics,
                 "train/loss,train/color_error,validation/loss,validation/color_error,seconds"));
  CHECK(contains(text_of(run + "/events.jsonl"), "\"train/color_error\":0."));
  const json result = json::parse(text_of(run + "/result.json"));
  CHECK(result.at("task") == "mean-color");
  const json& test = result.at("test");
  CHECK(test.at("metric") == "color_error");
  CHECK(test.at("better") == "lower");
  CHECK(test.at("best_chosen_on") == "validation");
  CHECK(test.at("examples") == 20);
  CHECK(test.at("metrics").at("color_error") == test.at("last"));
  CHECK(test.at("color_error").at(0) == test.at("last"));
  CHECK_FALSE(test.contains("accuracy"));
  const std::string page = text_of(run + "/report.html");
  CHECK(contains(page, "Errors of the mean colour"));
  CHECK(contains(page, "color_error on the test set"));
  CHECK(contains(page, "Color_error"));
  CHECK_FALSE(contains(page, "ccuracy"));
}

TEST_CASE("the lowest value decides which epoch is the best") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  // The rate rises until the weights overshoot: the best epoch is not the last.
  REQUIRE(run_here(folder, train_words(run, {"--schedule", "onecycle:peak-at=1,start-factor=100",
                                             "--lr", "2.2", "--epochs", "10"}))
              .code == 0);
  std::ifstream rows(run + "/metrics.csv");
  std::string line;
  std::getline(rows, line);
  double best = 1e300;
  int64_t epoch = 0;
  int64_t count = 0;
  while (std::getline(rows, line)) {
    std::vector<std::string> fields;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find(',', begin), line.size());
      fields.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    ++count;
    if (std::stod(fields.at(6)) < best) {
      best = std::stod(fields.at(6));
      epoch = count;
    }
  }
  CHECK(count == 10);
  CHECK(epoch < 10);
  CHECK(json::parse(text_of(run + "/result.json")).at("test").at("best_epoch") == epoch);
}

TEST_CASE("a task of another kind resumes to the same bits, and is evaluated") {
  const TemporaryFolder folder;
  const std::string whole = folder.path("whole");
  const std::string parts = folder.path("parts");
  REQUIRE(run_here(folder, train_words(whole)).code == 0);
  REQUIRE(run_here(folder, train_words(parts, {"--max-steps", "8"})).code == 0);
  REQUIRE(run_here(folder, train_words(parts, {"--resume", "auto"})).code == 0);
  const char* last = "/checkpoints/last.safetensors";
  CHECK(text_of(whole + last) == text_of(parts + last));
  CHECK(events_of(whole) == events_of(parts));

  const Output evaluated = run_here(folder, {"eval", whole, "--json", "--workers", "0"});
  REQUIRE(evaluated.code == 0);
  const json object = json::parse(evaluated.out);
  CHECK(object.at("task") == "mean-color");
  CHECK(object.at("metric") == "color_error");
  CHECK(object.at("examples") == 20);
  CHECK(contains(run_here(folder, {"eval", whole}).out, "color_error 0."));
  const Output logits = run_here(folder, {"eval", whole, "--save-logits", folder.path("l")});
  CHECK(logits.code == 2);
  CHECK(contains(logits.err, "save-logits: task mean-color gives none"));
  CHECK_FALSE(fs::exists(folder.path("l")));
}

TEST_CASE("summary, bench and dry runs go through the task") {
  const TemporaryFolder folder;
  const std::vector<std::string> what = {"--task",     "mean-color",  "--model",
                                         "timed-mean", "--attention", "none"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), what.begin(), what.end());
    return run_here(folder, words);
  };
  const Output summary = with({"summary", "--input", "6x6x3", "--json"});
  CAPTURE(summary.err);
  REQUIRE(summary.code == 0);
  CHECK(json::parse(summary.out).at("parameters") == 3 * 3 + 3 + 1);
  const Output bench = with({"bench", "--input", "6x6x3", "--batch", "4", "--steps", "1",
                             "--warmup", "1", "--threads", "1", "--json"});
  CAPTURE(bench.err);
  REQUIRE(bench.code == 0);
  CHECK(json::parse(bench.out).at("task") == "mean-color");
  const Output plan = run_here(folder, train_words(folder.path("none"), {"--dry-run"}));
  CAPTURE(plan.err);
  CHECK(plan.code == 0);
  CHECK(contains(plan.out, "mean-color, best by color_error"));
  CHECK_FALSE(fs::exists(folder.path("none")));
}

TEST_CASE("a task that data or model cannot serve is refused with what is missing") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& more, int code,
                           const std::string& words) {
    const Output output = run_here(folder, train_words(folder.path("run"), more));
    CAPTURE(output.err);
    CHECK(output.code == code);
    CHECK(std::count(output.err.begin(), output.err.end(), '\n') == 1);
    CHECK(contains(output.err, words));
    CHECK_FALSE(fs::exists(folder.path("run")));
  };
  refused({"--data", "shapes"}, 3,
          "task mean-color needs the target mean_color (f32), shapes has label (i64), mask (u8), "
          "boxes (f32), box_label (i64)");
  refused({"--model", "resnet20"}, 2,
          "resnet20 takes an image and gives logits, task mean-color needs an image and a time and "
          "logits; tasks that fit: classify");
  refused({"--task", "classify", "--model", "resnet8"}, 3,
          "task classify needs the target label (i64), colors has mean_color (f32)");
  refused({"--task", "mean-color:time=2"}, 2,
          "time=2 of 'mean-color' must be a number from 0 to 1");
  refused({"--val-split", "4"}, 2,
          "colors brings 12 validation images of its own; leave --val-split out");
}

TEST_CASE("a task whose targets cannot be mixed refuses mixup and cutmix in one line") {
  Options options;
  options.task = "mean-color";
  options.validate();
  options.cutmix = 1.0;
  CHECK(error_message([&] { options.validate(); }) ==
        "cutmix: the targets of task mean-color cannot be mixed; leave --mixup and --cutmix out");
  options.mixup = 1.0;
  CHECK(error_message([&] { options.validate(); }).find("mixup: the targets of task ") == 0);
}

/// Every text file of the tree but those of this folder.
TEST_CASE("nothing outside its folder names the second task") {
  const fs::path root(DIAGRAD_SOURCE_DIR);
  const std::string own = "tests/train/tasks/mean_color/";
  const std::string names[] = {std::string("mean-") + "color", std::string("mean_") + "color",
                               std::string("timed-") + "mean"};
  int64_t files = 0;
  for (const char* folder : {"core", "autograd", "ops", "nn", "data", "models", "train", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string path = fs::relative(entry.path(), root).generic_string();
      const auto extension = entry.path().extension();
      if (path.rfind(own, 0) == 0 || (extension != ".h" && extension != ".cpp")) continue;
      ++files;
      const std::string text = text_of(entry.path().string());
      for (const std::string& name : names) CHECK_MESSAGE(!contains(text, name), path);
    }
  }
  CHECK(files > 400);
}

}  // namespace
}  // namespace diagrad::testing
