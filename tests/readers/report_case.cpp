#include <map>
#include <stdexcept>

#include "diagrad/train/report/run_page.h"
#include "diagrad/train/report/runs_page.h"
#include "diagrad/train/run/run_folder.h"
#include "diagrad/train/run/trainer.h"
#include "tests/data/support.h"
#include "tests/readers/reader_case.h"

// Reports are made from whatever there is, so these readers refuse nothing: a page comes out.

namespace diagrad::testing {
namespace {

using namespace train;  // NOLINT(google-build-using-namespace): half of train is named here

TrainResult small_result() {
  TrainResult result;
  result.parameters = 1234567;
  result.epochs = 2;
  result.steps = 20;
  result.seconds = 75.0;
  result.images_per_second = 4321.0;
  result.weights = "trained";
  result.chosen_on = "test";
  result.last.examples = 200;
  result.last.loss = 0.25;
  result.last.accuracy = 0.905;
  result.last.per_class = {0.95, 0.86};
  result.last.confusion = {{95, 5}, {14, 86}};
  result.best = 0.915;
  result.best_epoch = 1;
  return result;
}

std::string small_samples() {
  Evaluation evaluation;
  evaluation.examples = 10;
  evaluation.confusion = {{8, 2}, {0, 0}};
  evaluation.samples.wrong = {{4, 0, 1, 0.875, 0.0625, 0.125}};
  evaluation.samples.right = {{2, 1, 1, 1.0, 1.0, 1e-9}};
  return samples_json(sample_images(evaluation, CountingDataset(10, {4, 4, 3}, 2)));
}

std::string small_state() {
  RunState state;
  state.phase = RunPhase::finished;
  state.classes = {"cat", "dog"};
  state.test_images = 200;
  state.start.parameters = 1234567;
  state.start.epochs = 2;
  state.start.steps_per_epoch = 10;
  state.start.steps = 20;
  state.start.train_images = 640;
  state.start.eval_images = 100;
  state.start.eval_set = "test";
  return run_json(state);
}

std::string events() {
  std::string text;
  for (int step = 1; step <= 20; ++step) {
    text += R"({"step":)" + std::to_string(step) +
            R"(,"loss":1.5,"accuracy":0.5,"lr":0.1,"grad_norm":2,"seconds":3.5})" + "\n";
  }
  return text;
}

/// What a run folder holds, by file.
const std::map<std::string, std::string>& whole_run() {
  static const std::map<std::string, std::string> files = {
      {"run.json", small_state()},
      {"config.toml", to_toml(Options())},
      {"env.json", environment_json(Options())},
      {"metrics.csv",
       "epoch,step,lr,train_loss,train_accuracy,eval_set,eval_loss,eval_accuracy,"
       "ema_loss,ema_accuracy,seconds,images_per_second\n"
       "1,10,0.1,1.25,0.625,test,1.5,0.5,,,10,64\n"
       "2,20,0.1,1.125,0.75,test,1.25,0.625,1.5,0.5,20,64\n"},
      {"events.jsonl", events()},
      {"result.json", result_json(small_result(), Options())},
      {"samples.json", small_samples()}};
  return files;
}

void check_page(const std::string& page) {
  if (page.rfind("<!DOCTYPE html>", 0) != 0 || page.find("<script") != std::string::npos) {
    throw std::logic_error("a page that is none, or runs something");
  }
}

/// The page of a run with `bytes` in the place of one of its files.
void read_run_with(const std::string& name, const std::string& bytes) {
  const std::string folder = "run with " + name + "/";
  for (const auto& file : whole_run()) {
    if (file.first != name) input_file(folder + file.first, file.second);
  }
  const std::string path = input_file(folder + name, bytes);
  check_page(run_page(read_run_files(path.substr(0, path.rfind('/')))));
}

ReaderCase file_of_run(const std::string& name) {
  return {"report-" + name.substr(0, name.find('.')),
          [name] { return std::vector<std::string>{whole_run().at(name)}; },
          [name](const std::string& bytes) { read_run_with(name, bytes); }, 300};
}

const char* const kRuns = R"({"format":1,"test":{"last":{"mean":0.9,"std":0.01,"n":3},
"best":{"mean":0.91,"std":0.005,"n":3}},"runs":[{"model":"m","attention":"a","data":"d","seed":4,
"folder":"x/seed-4","seconds":75,"steps":20,
"test":{"last":0.9,"best":0.91,"best_epoch":2,"best_chosen_on":"test","loss":0.5}},
{"seed":5,"folder":"x/seed-5"}]})";

const ReaderRegistration registered{file_of_run("run.json"),
                                    file_of_run("config.toml"),
                                    file_of_run("env.json"),
                                    file_of_run("metrics.csv"),
                                    file_of_run("events.jsonl"),
                                    file_of_run("result.json"),
                                    file_of_run("samples.json"),
                                    {"report-runs", [] { return std::vector<std::string>{kRuns}; },
                                     [](const std::string& text) { check_page(runs_page(text)); }}};

}  // namespace
}  // namespace diagrad::testing
