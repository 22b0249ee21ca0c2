#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/report/run_command.h"
#include "diagrad/train/report/run_page.h"
#include "diagrad/train/report/runs_page.h"
#include "diagrad/train/run/result.h"
#include "tests/support/op_case.h"
#include "tests/train/report/html_fault.h"
#include "tests/train/report/reported_run.h"
#include "tests/train/support.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::html_fault;
using testing::TemporaryFolder;
using testing::text_of;
using testing::train_with_report;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string page_of(const std::string& folder) {
  std::string page = run_page(read_run_files(folder));
  CHECK(html_fault(page) == "");
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "http://"));
  return page;
}

const Metric kLoss{.name = "loss", .higher_is_better = false};
const Metric kAccuracy{.name = "accuracy", .is_share = true};

std::string header(const std::string& set) {
  return RowLayout{.metrics = {kLoss, kAccuracy}, .eval_set = set, .has_ema = true}.header() + "\n";
}

/// The blocks of a task that classifies.
std::string some_blocks(const std::vector<std::string>& names) {
  const Matrix matrix{.title = "Confusion matrix",
                      .row_heading = "true class",
                      .column_heading = "predicted class",
                      .names = names,
                      .counts = {{95, 5}, {14, 86}}};
  const Table bars{.title = "Accuracy by class",
                   .row_heading = "class",
                   .row_names = names,
                   .columns = {{.name = "accuracy", .is_share = true, .values = {0.95, 0.86}}},
                   .is_sorted = true};
  return blocks_json({matrix, bars}, "test set, weights at the end");
}

/// A run of `epochs` epochs of 10 steps whose figures are known, chosen on `set`.
void make_run(const std::string& folder, int64_t epochs, const std::string& set,
              const std::vector<std::string>& classes = {"cat", "dog"}) {
  fs::create_directories(folder);
  RunState state;
  state.phase = RunPhase::finished;
  state.classes = classes;
  state.test_images = 200;
  state.start.parameters = 1234567;
  state.start.epochs = epochs;
  state.start.steps_per_epoch = 10;
  state.start.steps = 10 * epochs;
  state.start.train_images = 640;
  state.start.eval_images = 100;
  state.start.eval_set = set;
  state.start.metrics = {kLoss, kAccuracy};
  state.start.primary = kAccuracy;
  write(folder + "/run.json", run_json(state));
  Options options;
  options.weight_decay = 0.0005;
  write(folder + "/config.toml", to_toml(options));
  write(folder + "/env.json", environment_json(options));
  std::string metrics = header(set);
  std::string events;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    for (int64_t step = 10 * epoch - 9; step <= 10 * epoch; ++step) {
      events +=
          fmt::format(
              R"({{"step":{},"train/loss":1.5,"train/accuracy":0.5,"lr":0.1,"grad_norm":2,"seconds":{}}})",
              step, step) +
          "\n";
    }
    metrics += fmt::format("{},{},0.1,1.25,0.625,1.5,0.5,,,{},64\n", epoch, 10 * epoch, 10 * epoch);
  }
  write(folder + "/metrics.csv", metrics);
  write(folder + "/events.jsonl", events);
  TrainResult result;
  result.parameters = 1234567;
  result.epochs = epochs;
  result.steps = 10 * epochs;
  result.seconds = 75.0;
  result.images_per_second = 4321.0;
  result.weights = "trained";
  result.chosen_on = set;
  result.primary = kAccuracy;
  result.last.examples = 200;
  result.last.metrics = {{"loss", 0.25}, {"accuracy", 0.905}};
  result.last.details = R"({"confusion":[[95,5],[14,86]],"per_class":[0.95,0.86]})";
  result.best = 0.915;
  result.best_epoch = 1;
  write(folder + "/result.json", result_json(result, options));
  write(folder + "/blocks.json", some_blocks(classes));
}

TEST_CASE("the page of a finished run shows its figures and what they are of") {
  const TemporaryFolder folder;
  for (const int64_t epochs : {1, 5, 15, 164}) {
    const std::string run = folder.path(std::to_string(epochs));
    make_run(run, epochs, "test");
    const std::string page = page_of(run);
    CHECK(contains(page, "<b>90.50 %</b><span>accuracy on the test set of 200 images"));
    CHECK(contains(page, "<b>91.50 %</b><span>best, epoch 1: chosen on the test set itself"));
    CHECK(contains(page, "<b>1,234,567</b>"));
    CHECK(contains(page, "<b>4,321</b><span>training images per second"));
    CHECK(contains(page, "<b>1:15</b>"));
    CHECK(contains(page, "<b>0.25</b><span>loss on the test set, weights at the end"));
    CHECK(contains(page, "Evaluation on the test set, weights at the end"));
    CHECK(contains(page, "true class dog, predicted class cat: 14 of 100 (14.0 %)"));
    CHECK(contains(page, "true class cat, predicted class dog: 5 of 100 (5.0 %)"));
    CHECK(contains(page, "86.0 %"));
    CHECK(contains(page, "640 training images, 200 test, 2 classes"));
    CHECK(contains(page, "<span>diagrad train</span> <span>--weight-decay 0.0005</span>"));
    CHECK(contains(page, "<td>0.0005</td>") == false);
    CHECK(contains(page, "<td class=\"changed\">0.0005</td>"));
  }
}

TEST_CASE("with a validation set the page shows the epoch that it chose, on the test set") {
  const TemporaryFolder folder;
  make_run(folder.path("run"), 3, "validation");
  const std::string page = page_of(folder.path("run"));
  CHECK(contains(page,
                 "<b>91.50 %</b><span>accuracy on the test set of 200 images, with the "
                 "weights of epoch 1, which the validation set chose"));
  CHECK(contains(page, "<b>90.50 %</b><span>test set, weights at the end"));
  CHECK_FALSE(contains(page, "optimistically biased"));
}

TEST_CASE("names from outside cannot leave their place in the page") {
  const TemporaryFolder folder;
  const std::string evil = "<script>alert('x')</script>\" onload=\"\x01\xff]]>&amp;";
  const std::string run = folder.path("a <b>\"run\"");
  make_run(run, 2, "test", {evil, std::string(500, '<')});
  Options options;
  options.model = options.attention = options.data = evil;
  options.augment = {evil};
  write(run + "/config.toml", to_toml(options) + evil + " = " + evil + "\n# " + evil + "\n");
  write(run + "/env.json", nlohmann::json{{"cpu", "<b>&"}, {"<i>", 1}}.dump());
  write(run + "/metrics.csv", header("<b>") + "1,10,0.1,1,0.5,1,0.5,,,1,1\n");
  const std::string page = page_of(run);
  CHECK_FALSE(contains(page, "<b>\"run"));
  CHECK(contains(page, "&lt;script&gt;alert(&#39;x&#39;)"));
}

TEST_CASE("damaged files cost what they held, and nothing else") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_run(run, 3, "test");
  const std::vector<std::string> files = {"run.json",     "result.json", "metrics.csv",
                                          "events.jsonl", "config.toml", "env.json",
                                          "blocks.json"};
  const auto check = [&] {
    const std::string page = page_of(run);
    CHECK_FALSE(contains(page, "nan"));
    CHECK_FALSE(contains(page, "inf"));
  };
  for (const std::string& name : files) {
    const std::string path = fmt::format("{}/{}", run, name);
    const std::string whole = text_of(path);
    for (const size_t share : {0, 1, 2, 3}) {
      write(path, whole.substr(0, whole.size() * share / 4 + share));
      check();
    }
    for (const char* other :
         {"null", "[]", "{\"test\":{\"confusion\":[[1,2],[3]]}}",
          "{\"format\":2,\"test\":{\"confusion\":[[-1]],\"metrics\":7},\"epochs\":\"x\"}",
          "{\"test\":7}",
          "{\"format\":2,\"test\":{\"metric\":[],\"best\":\"x\",\"metrics\":{\"a\":\"b\"}}}",
          "{\"format\":2,\"metric\":3,\"metrics\":[7,{},{\"name\":\"a\"},null]}",
          "{\"blocks\":[{\"kind\":\"matrix\",\"names\":[\"a\"],\"counts\":[[1,2]]}]}",
          "{\"classes\":[1,null],\"steps_per_epoch\":-4,\"step\":1e300}",
          ",,,,,,,,,,\n1,x,y,z\n-1,-1,0,0,0,0,0,,,0,0\n", "epoch,/,a/\n1,2,3\n", "\xff\xfe\x00",
          " = \n = = =\n"}) {
      write(path, other);
      check();
    }
    fs::remove(path);
    check();
    write(path, whole);
  }
  CHECK(contains(page_of(run), "90.50 %"));
  CHECK(contains(page_of(folder.path("nowhere")), "nothing has been evaluated yet"));
}

TEST_CASE("values nested without end, pipes and devices are passed over in any file") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_run(run, 3, "test");
  const std::string deep = std::string(100000, '[');
  const std::string closed = deep + std::string(100000, ']');
  for (const std::string name : {"run.json", "result.json", "metrics.csv", "events.jsonl",
                                 "config.toml", "env.json", "blocks.json"}) {
    const std::string path = fmt::format("{}/{}", run, name);
    const std::string whole = fs::exists(path) ? text_of(path) : "";
    for (const std::string& text :
         {deep, closed, R"({"a":)" + closed + "}", R"({"test":{"confusion":)" + closed + "}}",
          R"({"blocks":[{"kind":"table","rows":)" + closed + "}]}", R"({"step":)" + closed + "}\n",
          "# x\nmodel = " + closed + "\n", fmt::format("lr = [{0},{0}]\n", closed)}) {
      write(path, text);
      page_of(run);
    }
    fs::remove(path);
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    page_of(run);
    fs::remove(path);
    fs::create_symlink("/dev/zero", path);
    page_of(run);
    fs::remove(path);
    write(path, whole);
  }
  CHECK(contains(page_of(run), "90.50 %"));
}

TEST_CASE("names of classes without end do not make a page without end") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  constexpr size_t kClasses = 100;
  const std::vector<std::string> names(kClasses, std::string(20000, 'x'));
  make_run(run, 1, "test", names);
  write(run + "/blocks.json",
        blocks_json({Matrix{.title = "Confusion matrix",
                            .row_heading = names[0],
                            .column_heading = names[0],
                            .names = names,
                            .counts = std::vector<std::vector<int64_t>>(
                                kClasses, std::vector<int64_t>(kClasses, 1))}},
                    "test set, weights at the end"));
  CHECK(page_of(run).size() < (size_t{1} << 23));
}

TEST_CASE("a run folder of another format is refused in one line") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  for (const std::string name : {"run.json", "result.json"}) {
    make_run(run, 1, "test");
    const std::string path = fmt::format("{}/{}", run, name);
    nlohmann::json object = nlohmann::json::parse(text_of(path));
    REQUIRE(object["format"] == 2);
    object["format"] = 1;
    write(path, object.dump());
    CHECK(error_message([&] { read_run_files(run); }) ==
          path +
              ": has the old format 1, this diagrad reads 2; use the version that wrote it or "
              "train again");
    object["format"] = 3;
    write(path, object.dump());
    CHECK(error_message([&] { read_run_files(run); }) ==
          path + ": has format 3, this diagrad reads 2");
  }
}

TEST_CASE("the page of a task whose primary metric is no share, and lower is better") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_run(run, 2, "test");
  const Metric error{.name = "distance", .higher_is_better = false};
  RunState state = read_run_files(run).state;
  state.start.metrics = {kLoss, error};
  state.start.primary = error;
  write(run + "/run.json", run_json(state));
  write(run + "/metrics.csv", RowLayout{.metrics = {kLoss, error}, .eval_set = "test"}.header() +
                                  "\n1,10,0.1,1,5,1,2.5,10,64\n2,20,0.1,1,5,1,7.5,20,64\n");
  TrainResult result = *read_run_files(run).result;
  result.primary = error;
  result.last.metrics = {{"loss", 0.25}, {"distance", 7.5}};
  result.best = 2.5;
  write(run + "/result.json", result_json(result, Options()));
  const std::string page = page_of(run);
  CHECK(contains(page, "<b>7.5</b><span>distance on the test set of 200 images"));
  CHECK_FALSE(contains(page, "standard error"));
  CHECK(contains(page, "<b>2.5</b><span>best, epoch 1"));
  CHECK(contains(page, ">Distance<"));
  CHECK(contains(page, ">best: epoch 1<"));
  CHECK(contains(page, "<th>test distance</th>"));
  CHECK(contains(page, "<td>2.5</td>"));
  CHECK_FALSE(contains(page, "accuracy on"));
}

TEST_CASE("a row that was being written when the run was killed is not read") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_run(run, 2, "test");
  fs::remove(run + "/result.json");
  RunState state = read_run_files(run).state;
  state.phase = RunPhase::running;
  write(run + "/run.json", run_json(state));
  // All columns are there, but the last number may lack digits.
  std::ofstream(run + "/metrics.csv", std::ios::app) << "3,30,0.1,1.25,0.625,1.5,0.99,,,30,6";
  std::ofstream(run + "/events.jsonl", std::ios::app) << R"({"step":21,"train/loss":1.)";
  const RunFiles files = read_run_files(run);
  CHECK(files.epochs.size() == 2);
  CHECK(files.steps.size() == 20);
  const std::string page = page_of(run);
  CHECK(contains(page, "not finished"));
  CHECK(contains(page, "at step 20 of 20, epoch 2 of 2"));
  CHECK(contains(page, "<b>50.00 %</b><span>accuracy on the test set of 100 images after epoch"));
}

TEST_CASE("long runs are drawn from means of stretches") {
  std::vector<StepRow> steps;
  for (int64_t i = 1; i <= 1000; ++i) {
    steps.push_back(
        {.step = i, .metrics = {{"loss", static_cast<double>(i)}}, .lr = static_cast<double>(i)});
  }
  const std::vector<StepRow> rows = in_stretches(steps, 300);
  REQUIRE(rows.size() == 250);
  CHECK(rows[0].step == 4);
  CHECK(value_of(rows[0].metrics, "loss") == 2.5);
  CHECK(rows[0].lr == 4.0);
  CHECK(rows.back().step == 1000);
  CHECK(in_stretches({}, 300).empty());
}

TEST_CASE("commands are quoted for a shell") {
  CHECK(resume_command("a b", "max-steps") ==
        "diagrad train --config 'a b/config.toml' --out 'a b' --resume auto --max-steps 0");
  CHECK(resume_command("r", "signal 15") ==
        "diagrad train --config r/config.toml --out r --resume auto");
  CHECK(resume_command("-r\n", "") ==
        "diagrad train --config $'./-r\\n/config.toml' --out $'./-r\\n' --resume auto");
  const auto line = [](const char* name, const char* value) {
    ConfigLine result;
    result.name = name;
    result.value = value;
    return result;
  };
  CHECK(repeat_command(
            {line("data", "-d"), line("normalization", "true"), line("drop-last", "true")}) ==
        "diagrad train --data=-d --normalization true --drop-last");
}

TEST_CASE("a run writes its page; one that is stopped says how to go on") {
  const TemporaryFolder folder;
  TrainJob job = testing::small_job(folder.path("run"));
  testing::Recorder recorder;
  std::string during;
  recorder.act = [&](const StepRow& row) {
    if (row.step == 6) during = text_of(folder.path("run/report.html"));
    if (row.step == 7) std::raise(SIGTERM);
  };
  CHECK(train_with_report(job, recorder).signal == SIGTERM);
  CHECK(contains(during, "Written while the run was under way"));
  CHECK(contains(during, "after epoch 1 of 2"));
  std::string page = text_of(folder.path("run/report.html"));
  CHECK(page == page_of(folder.path("run")));
  CHECK(contains(page, "Stopped by signal 15 and saved at step 7 of 10, epoch 1 of 2"));
  CHECK(contains(page, "--resume auto"));
  job.options.resume = "auto";
  recorder.act = nullptr;
  const TrainResult result = train_with_report(job, recorder);
  page = text_of(folder.path("run/report.html"));
  CHECK(page == page_of(folder.path("run")));
  CHECK(contains(page, "finished"));
  CHECK(contains(page, "<b>" + exact_percent(value_of(result.last.metrics, "accuracy")) + "</b>"));
  CHECK(contains(page, "accuracy on the test set of 20 images"));
  const auto state = nlohmann::json::parse(text_of(folder.path("run/run.json")));
  CHECK(state["phase"] == "finished");
  CHECK(state["steps"] == 10);
  CHECK(state["resumed_at"] == 7);
  CHECK(recorder.messages.empty());
}

TEST_CASE("the page of a run that diverged says where") {
  const TemporaryFolder folder;
  TrainJob job = testing::small_job(folder.path("run"));
  job.options.lr = 1e30;
  testing::Recorder recorder;
  const std::string message = error_message([&] { train_with_report(job, recorder); });
  CHECK(contains(message, "diverged"));
  const std::string page = text_of(folder.path("run/report.html"));
  CHECK(page == page_of(folder.path("run")));
  CHECK(contains(page, escape_html(message)));
  CHECK(contains(page, "class=\"ending bad\""));
}

TEST_CASE("a page that cannot be written gives one message and does not end the run") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  fs::create_directories(run + "/report.html/in-the-way");
  testing::Recorder recorder;
  CHECK(train_with_report(testing::small_job(run), recorder).epochs == 2);
  REQUIRE(recorder.messages.size() == 1);
  CHECK(contains(recorder.messages[0], "no report: "));
}

TEST_CASE("the page over several runs shows mean, deviation and number") {
  const std::string json =
      R"({"test":{"metric":"accuracy","is_share":true,"last":{"mean":0.9,"std":0.01,"n":3},
    "best":{"mean":0.91,"std":0.005,"n":3}},"runs":[
    {"model":"<m>","attention":"a","data":"d","seed":4,"folder":"x/seed-4",
     "test":{"last":0.9,"best":0.91,"best_epoch":2,"best_chosen_on":"test","metrics":{"loss":0.5}}},
    {"seed":5,"folder":"x/\"><b>"}, 7]})";
  const std::string page = runs_page(json);
  CHECK(html_fault(page) == "");
  CHECK(contains(page, "90.00 % \xC2\xB1 1.00"));
  CHECK(contains(page, "mean and standard deviation, n = 3"));
  CHECK(contains(page, "optimistically biased"));
  CHECK(contains(page, "<td>0.5</td>"));
  CHECK(contains(page, "<a href=\"seed-4/report.html\">"));
  CHECK(contains(page, "&lt;m&gt; with a on d"));
  for (const char* other : {"", "[]", "{\"runs\":{}}", "{\"runs\":[null]}"}) {
    CHECK(html_fault(runs_page(other)) == "");
  }
}

TEST_CASE("the page over several runs passes over what is nested without end, pipes and devices") {
  const std::string closed = std::string(100000, '[') + std::string(100000, ']');
  for (const std::string& text : {std::string(100000, '['), closed, R"({"runs":)" + closed + "}",
                                  R"({"runs":[{"test":)" + closed + "}]}",
                                  std::string(R"({"runs":[{"seed":1e300,"steps":-1e300}]})")}) {
    CHECK(html_fault(runs_page(text)) == "");
  }
  const TemporaryFolder folder;
  REQUIRE(mkfifo(folder.path("runs.json").c_str(), 0600) == 0);
  write_runs_page(folder.path());
  CHECK(html_fault(text_of(folder.path("report.html"))) == "");
}

}  // namespace
}  // namespace diagrad::train
