#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.h"
#include "tests/data/support.h"
#include "tests/train/report/html_fault.h"
#include "tests/train/support.h"

namespace diagrad::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::lines_of;
using testing::ProgramResult;
using testing::refuses;
using testing::run_program;
using testing::TemporaryFolder;
using testing::text_of;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// `train` on 24 small images, with more words behind it.
std::vector<std::string> train(const std::vector<std::string>& more) {
  std::vector<std::string> words = {"train",     "--data",    "shapes:size=16,train=24,test=20",
                                    "--epochs",  "1",         "--batch",
                                    "8",         "--workers", "0",
                                    "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_CASE("train ends with the accuracy, where its files lie and what to do next") {
  const TemporaryFolder folder;
  const std::string out = folder.path("a run");
  const ProgramResult result = run_program(train({"--out", out}));
  CHECK(result.code == 0);
  const std::vector<std::string> lines = lines_of(result.out);
  REQUIRE(lines.size() >= 5);
  const size_t end = lines.size();
  const json file = json::parse(text_of(out + "/result.json"));
  char accuracy[64];
  std::snprintf(accuracy, sizeof accuracy, "accuracy     %.2f %% on the 20 test images",
                100.0 * file["test"]["last"].get<double>());
  CHECK(contains(lines[end - 5], accuracy));
  CHECK(contains(lines[end - 4], "after epoch 1, chosen on the test set itself"));
  CHECK(lines[end - 3] == "report       " + out + "/report.html");
  CHECK(lines[end - 2] == "checkpoints  " + out + "/checkpoints");
  CHECK(lines[end - 1] == "next         diagrad eval '" + out + "'");
  CHECK(fs::exists(out + "/report.html"));
}

TEST_CASE("with --quiet nothing is said, with --json one object") {
  const TemporaryFolder folder;
  const ProgramResult quiet = run_program(train({"--out", folder.path("q"), "--quiet"}));
  CHECK(quiet.code == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err.empty());
  const ProgramResult result =
      run_program(train({"--out", folder.path("j"), "--json", "--max-steps", "2"}));
  const json object = json::parse(result.out);
  CHECK(object["steps"] == 2);
  CHECK(object["folder"] == folder.path("j"));
  CHECK(object["test"]["examples"] == 20);
  CHECK(contains(result.err, "go on        diagrad train --config " + folder.path("j")));
  CHECK(contains(result.err, "--resume auto --max-steps 0"));
}

TEST_CASE("a dry run tells the plan and leaves nothing behind") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const ProgramResult plan = run_program(train({"--out", out, "--dry-run", "--attention", "se"}));
  CHECK(plan.code == 0);
  CHECK_FALSE(fs::exists(out));
  for (const char* part :
       {"resnet20, 27", " parameters, f32", "se, one per block", "24 training and 20 test images",
        "1 epoch of 3 steps, 3 steps in all", "pad-crop:border=4, flip", "cosine: 0.1 at first",
        "(new)", "nothing was trained"}) {
    CAPTURE(part);
    CHECK(contains(plan.out, part));
  }
  CHECK(run_program(train({"--out", out, "--max-steps", "2"})).code == 0);
  const std::string before = text_of(out + "/run.json");
  const ProgramResult again =
      run_program(train({"--out", out, "--dry-run", "--resume", "auto", "--json"}));
  const json object = json::parse(again.out);
  CHECK(object["dry_run"] == true);
  CHECK(object["resumed_at"] == 2);
  CHECK(object["steps"] == 3);
  CHECK(contains(again.err, "goes on after step 2"));
  CHECK(text_of(out + "/run.json") == before);
  CHECK(refuses(train({"--out", out, "--dry-run"}), 2, "holds a run already"));
}

TEST_CASE("a dry run of several runs tells the seed and the folder of each") {
  const TemporaryFolder folder;
  const std::string out = folder.path("all");
  const auto plan_in = [](const std::string& where, const std::string& resume) {
    return train(
        {"--out", where, "--runs", "2", "--seed", "3", "--dry-run", "--json", "--resume", resume});
  };
  const ProgramResult plan = run_program(plan_in(out, ""));
  CHECK(plan.code == 0);
  CHECK_FALSE(fs::exists(out));
  CHECK(contains(plan.err, "seed           3 to 4, one for each of 2 runs\n"));
  CHECK(contains(plan.err, "folder         " + out + "/seed-3 (new)\n"));
  CHECK(contains(plan.err, "folder         " + out + "/seed-4 (new)\n"));
  const json runs = json::parse(plan.out)["runs"];
  REQUIRE(runs.size() == 2);
  CHECK(runs[1]["seed"] == 4);
  CHECK(runs[1]["folder"] == out + "/seed-4");

  const std::string first = out + "/seed-3";
  CHECK(run_program(train({"--out", first, "--seed", "3", "--max-steps", "2"})).code == 0);
  const json more = json::parse(run_program(plan_in(out, "auto")).out)["runs"];
  CHECK(more[0]["resumed_at"] == 2);
  CHECK(more[1]["resumed_at"] == 0);
  CHECK(refuses(plan_in(first, ""), 2, "is the folder of a single run"));
}

TEST_CASE("several runs end with a table, mean, deviation and a page") {
  const TemporaryFolder folder;
  const std::string out = folder.path("all");
  const ProgramResult result = run_program(train({"--out", out, "--runs", "2", "--seed", "3"}));
  CHECK(result.code == 0);
  CHECK(contains(result.out, "seed  accuracy"));
  CHECK(contains(result.out, "(mean and standard deviation, n = 2) on the test set, at the end"));
  CHECK(contains(result.out, "report       " + out + "/report.html"));
  const json all = json::parse(text_of(out + "/runs.json"));
  CHECK(all["runs"].size() == 2);
  CHECK(all["runs"][1]["seed"] == 4);
  const std::string page = text_of(out + "/report.html");
  CHECK(testing::html_fault(page) == "");
  CHECK(contains(page, "<a href=\"seed-4/report.html\">"));
  CHECK(fs::exists(out + "/seed-4/report.html"));
  fs::remove(out + "/report.html");
  CHECK(run_program({"report", out}).out == out + "/report.html\n");
  CHECK(text_of(out + "/report.html") == page);
}

/// The text of a page without its tags and entities.
std::string words_of(const std::string& html) {
  std::string words;
  bool inside = false;
  for (const char c : html) {
    if (c == '<') inside = true;
    if (!inside) words += c;
    if (c == '>') inside = false;
  }
  return words;
}

TEST_CASE("the command of the page gives the options of the run again") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  CHECK(run_program(train({"--out", out, "--optimizer", "sgd:nesterov=true", "--lr", "0.05",
                           "--augment", "cutout:size=4,flip", "--model-opt", "width=8",
                           "--attention", "se:reduction=4"}))
            .code == 0);
  const std::string page = text_of(out + "/report.html");
  const size_t begin = page.find("<code><span>diagrad train</span>");
  REQUIRE(begin != std::string::npos);
  std::istringstream words(words_of(page.substr(begin, page.find("</code>", begin) - begin)));
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  arguments.erase(arguments.begin());
  arguments.emplace_back("--print-config");
  const ProgramResult printed = run_program(arguments);
  CHECK(printed.err == "");
  CHECK(printed.out == text_of(out + "/config.toml"));
}

TEST_CASE("a page is made again from a run folder and refused elsewhere") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  CHECK(run_program(train({"--out", out})).code == 0);
  const std::string page = text_of(out + "/report.html");
  fs::remove(out + "/report.html");
  CHECK(run_program({"report", out}).code == 0);
  CHECK(text_of(out + "/report.html") == page);
  CHECK(refuses({"report", folder.path()}, 2, "holds no run"));
}

}  // namespace
}  // namespace diagrad::cli
