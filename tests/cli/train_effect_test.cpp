#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Options whose effect shows in the files of a run.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The rows of events.jsonl of a small run.
std::vector<json> steps_of(const std::string& out, const Words& more) {
  make_small_run(out, more);
  std::vector<json> rows;
  for (const std::string& line : lines_of(text_of(out + "/events.jsonl"))) {
    rows.push_back(json::parse(line));
  }
  return rows;
}

json result_of(const std::string& out) {
  return json::parse(text_of(out + "/result.json"));
}

json eval_of(const std::string& checkpoint) {
  const ProgramResult result = run_program({"eval", checkpoint, "--json", "--quiet"});
  REQUIRE(result.code == 0);
  return json::parse(result.out);
}

TEST_CASE("--accumulate makes one step of several batches") {
  const TemporaryFolder folder;
  CHECK(steps_of(folder.path("a"), {}).size() == 3);
  const std::vector<json> two = steps_of(folder.path("b"), {"--accumulate", "2"});
  REQUIRE(two.size() == 2);
  CHECK(two[0].at("images") == 16);
  CHECK(two[1].at("images") == 8);
  CHECK(steps_of(folder.path("c"), {"--accumulate", "99"}).at(0).at("images") == 24);
}

TEST_CASE("--clip-grad-norm changes the update, and the norm is told before it") {
  const TemporaryFolder folder;
  const std::vector<json> free = steps_of(folder.path("a"), {});
  const std::vector<json> clipped = steps_of(folder.path("b"), {"--clip-grad-norm", "1e-6"});
  const std::vector<json> loose = steps_of(folder.path("c"), {"--clip-grad-norm", "1e6"});
  for (const char* key : {"train/loss", "grad_norm"}) {
    CHECK(clipped[0].at(key) == free[0].at(key));
    CHECK(clipped[1].at(key) != free[1].at(key));
    CHECK(loose[2].at(key) == free[2].at(key));
  }
  CHECK(clipped[0].at("grad_norm").get<double>() > 1e-6);
}

TEST_CASE("--max-time stops a run, saved, and says how to go on") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const ProgramResult stopped = run_program(small_train(out, {"--max-time", "1e-9"}));
  CHECK(stopped.code == 0);
  CHECK(stopped.out.find("--resume auto --max-time 0\n") != std::string::npos);
  CHECK(result_of(out).at("stopped") == "max-time");
  CHECK(result_of(out).at("steps") == 0);
  CHECK(fs::exists(out + "/checkpoints/last.safetensors"));
  make_small_run(out, {"--resume", "auto", "--max-time", "1e9"});
  CHECK(result_of(out).at("stopped") == "");
  CHECK(result_of(out).at("steps") == 3);
}

TEST_CASE("with --val-split the best accuracy is that of the checkpoint `best` on the test set") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--epochs", "4", "--val-split", "8", "--lr", "0.05"});
  const json test = result_of(out).at("test");
  CHECK(test.at("best_chosen_on") == "validation");
  const json best = eval_of(out + "/checkpoints/best.safetensors");
  CHECK(best.at("epoch") == test.at("best_epoch"));
  CHECK(best.at("accuracy") == test.at("best"));
  CHECK(eval_of(out + "/checkpoints/last.safetensors").at("accuracy") == test.at("last"));
}

TEST_CASE("a checkpoint of another precision is refused with both") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const auto before = contents(out);
  const Words f64 = {"--precision", "f64", "--resume"};
  CHECK(refuses(small_train(out, joined(f64, {"auto"})), 5,
                "model.bn1.bias is f32 [4] there, f64 [4] here"));
  CHECK(
      refuses(small_train(folder.path("new"), joined(f64, {out + "/checkpoints/last.safetensors"})),
              5, "; precision=\"f32\" there, \"f64\" here"));
  CHECK(contents(out) == before);
}

TEST_CASE("a run that diverges names the first operation that went bad") {
  const TemporaryFolder folder;
  CHECK(
      fails(small_train(folder.path("run"), {"--lr", "1e30"}), 4,
            "; first bad operation: conv2d, forward, output f32 [8,16,16,4]; try a smaller --lr"));
}

TEST_CASE("one batch that was trained on is marked in every result") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const Words few = {"--overfit-one-batch", "--max-steps", "4"};
  make_small_run(out, few);
  const json result = result_of(out);
  CHECK(result.at("format") == 2);
  CHECK(result.at("overfit_one_batch") == true);
  CHECK(result.at("test").at("examples") == 8);
  const std::string page = text_of(out + "/report.html");
  CHECK(page.find("the one batch that was trained on of 8 images") != std::string::npos);
  CHECK(page.find("test set") == std::string::npos);
  const ProgramResult plan = run_program(small_train(folder.path("p"), joined(few, {"--dry-run"})));
  CHECK(plan.out.find("one batch of 8 images, to train and to test on") != std::string::npos);

  const std::string runs = folder.path("runs");
  const ProgramResult both = run_program(small_train(runs, joined(few, {"--runs", "2"})));
  CHECK(both.out.find("test set") == std::string::npos);
  CHECK(json::parse(text_of(runs + "/runs.json")).at("runs")[1].at("overfit_one_batch") == true);
  for (const char* words : {"test set", "test accuracy", "test loss"}) {
    CHECK(text_of(runs + "/report.html").find(words) == std::string::npos);
  }
  make_small_run(folder.path("usual"));
  CHECK(result_of(folder.path("usual")).at("overfit_one_batch") == false);
}

TEST_CASE("a plan of more steps than could be counted through is told at once") {
  const TemporaryFolder folder;
  const ProgramResult plan = run_program(small_train(
      folder.path("run"), {"--data", "shapes:size=16,train=1000000,test=16", "--batch", "1",
                           "--epochs", "1000000", "--schedule", "onecycle", "--dry-run"}));
  CHECK(plan.code == 0);
  CHECK(plan.out.find("1,000,000,000,000 steps in all") != std::string::npos);
  CHECK(plan.out.find("0.1 at step 300,000,000,000, ") != std::string::npos);
}

TEST_CASE("beyond 1000 classes results have no confusion matrix, and all else") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out, {"--classes", "5000"});
  const json test = result_of(out).at("test");
  CHECK(test.at("confusion").empty());
  CHECK(test.at("per_class").size() == 5000);
  const json scores = eval_of(out);
  CHECK(scores.at("confusion").empty());
  CHECK(scores.at("accuracy") == test.at("best"));
  CHECK(scores.at("per_class").size() == 5000);
  const ProgramResult words = run_program({"eval", out});
  CHECK(words.code == 0);
  CHECK(words.out.find("taken for") == std::string::npos);
  CHECK(words.out.find("of 16 test images") != std::string::npos);
  CHECK(text_of(out + "/report.html").find("Most confident errors") != std::string::npos);
}

}  // namespace
}  // namespace diagrad::testing
