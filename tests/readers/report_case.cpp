#include <cmath>
#include <map>
#include <stdexcept>

#include "diagrad/train/report/run_page.h"
#include "diagrad/train/report/runs_page.h"
#include "diagrad/train/run/result.h"
#include "diagrad/train/run/run_folder.h"
#include "diagrad/train/tasks/gallery.h"
#include "tests/data/support.h"
#include "tests/readers/reader_case.h"

// Reports are made from whatever there is, so these readers refuse nothing but files of another
// format: a page comes out.

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
  result.primary = {.name = "accuracy", .is_share = true};
  result.last.examples = 200;
  result.last.metrics = {{"loss", 0.25}, {"accuracy", 0.905}};
  result.last.details = R"({"confusion":[[95,5],[14,86]],"per_class":[0.95,0.86]})";
  result.best = 0.915;
  result.best_epoch = 1;
  return result;
}

Gallery::Image small_image() {
  Gallery::Image image = gallery_image(CountingDataset(10, {4, 4, 3}, 2), 4);
  image.description = "cat, predicted as dog";
  image.captions = {
      {.label = "predicted", .text = "dog", .share = 0.875, .rest = 0.125, .is_good = false}};
  return image;
}

std::string small_blocks() {
  const Matrix matrix{.title = "Confusion matrix",
                      .note = "Rows are true classes.",
                      .key = "confusion",
                      .row_heading = "true class",
                      .column_heading = "predicted class",
                      .names = {"cat", "dog"},
                      .counts = {{8, 2}, {0, 0}}};
  const Table bars{.title = "Accuracy by class",
                   .row_heading = "class",
                   .row_names = {"cat", "dog"},
                   .columns = {{.name = "accuracy", .is_share = true, .values = {0.8, NAN}}},
                   .is_sorted = true};
  const Table table{.title = "Most often confused",
                    .row_heading = "class, predicted as",
                    .row_names = {"cat, dog"},
                    .columns = {{.name = "images", .values = {2.0}}}};
  const Series series{.title = "Calibration",
                      .x_heading = "confidence",
                      .x = {0.25, 0.75},
                      .lines = {{.name = "accuracy", .y = {0.5, 0.75}}}};
  const Gallery gallery{.title = "Most confident errors", .images = {small_image()}};
  return blocks_json({matrix, bars, table, series, gallery}, "test set, after epoch 3");
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
  state.start.primary = {.name = "accuracy", .is_share = true};
  state.start.metrics = {{.name = "loss", .higher_is_better = false}, state.start.primary};
  return run_json(state);
}

std::string events() {
  std::string text;
  for (int step = 1; step <= 20; ++step) {
    text += R"({"step":)" + std::to_string(step) +
            R"(,"train/loss":1.5,"train/accuracy":0.5,"lr":0.1,"grad_norm":2,"seconds":3.5})" +
            "\n";
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
       "epoch,step,lr,train/loss,train/accuracy,test/loss,test/accuracy,"
       "test_ema/loss,test_ema/accuracy,seconds,images_per_second\n"
       "1,10,0.1,1.25,0.625,1.5,0.5,,,10,64\n"
       "2,20,0.1,1.125,0.75,1.25,0.625,1.5,0.5,20,64\n"},
      {"events.jsonl", events()},
      {"result.json", result_json(small_result(), Options())},
      {"blocks.json", small_blocks()}};
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

const char* const kRuns =
    R"({"format":2,"test":{"metric":"accuracy","is_share":true,"last":{"mean":0.9,"std":0.01,"n":3},
"best":{"mean":0.91,"std":0.005,"n":3}},"runs":[{"model":"m","attention":"a","data":"d","seed":4,
"folder":"x/seed-4","seconds":75,"steps":20,
"test":{"last":0.9,"best":0.91,"best_epoch":2,"best_chosen_on":"test","metrics":{"loss":0.5}}},
{"seed":5,"folder":"x/seed-5"}]})";

const ReaderRegistration registered{file_of_run("run.json"),
                                    file_of_run("config.toml"),
                                    file_of_run("env.json"),
                                    file_of_run("metrics.csv"),
                                    file_of_run("events.jsonl"),
                                    file_of_run("result.json"),
                                    file_of_run("blocks.json"),
                                    {"report-runs", [] { return std::vector<std::string>{kRuns}; },
                                     [](const std::string& text) { check_page(runs_page(text)); }}};

}  // namespace
}  // namespace diagrad::testing
