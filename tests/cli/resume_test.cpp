#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Where a run goes on, and where it must not: nothing that a run has made is lost by a resume.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Words kThree = {"--epochs", "3", "--keep-every", "1"};

std::string checkpoint(const std::string& run, const std::string& name) {
  return run + "/checkpoints/" + name + ".safetensors";
}

/// Three epochs of three steps, each one kept.
void make_three(const std::string& out, const Words& more = {}) {
  make_small_run(out, joined(kThree, more));
}

json json_of(const Words& words) {
  const ProgramResult result = run_program(words);
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  return json::parse(result.out);
}

TEST_CASE("a folder that holds a run is not given to the checkpoint of another one") {
  const TemporaryFolder folder;
  make_three(folder.path("a"));
  make_three(folder.path("b"), {"--seed", "1"});
  const auto before = contents(folder.path());
  const std::string file = checkpoint(folder.path("a"), "last");
  const std::string words = "--out: " + folder.path("b") + " holds a run, and " + file +
                            " is none of its checkpoints; choose a new folder, or continue";
  for (const Words& more : {Words{}, Words{"--dry-run"}}) {
    CHECK(refuses(small_train(folder.path("b"), joined(kThree, joined({"--resume", file}, more))),
                  2, words));
  }
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("a run does not go back in its own folder, and does in a new one") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_three(out);
  const auto before = contents(out);
  const std::string early = checkpoint(out, "epoch-0001");
  const Words back = joined(kThree, {"--resume", early});
  const std::string words = "--resume: " + early +
                            " is at step 3, and its run has come to step 9; go back in a new "
                            "folder with --out, or go on with --resume auto";
  CHECK(refuses(small_train("", back), 2, words));
  CHECK(refuses(small_train(out, back), 2, words));
  CHECK(refuses(small_train(out, joined(back, {"--dry-run"})), 2, words));
  CHECK(contents(out) == before);
  const std::string again = folder.path("again");
  make_small_run(again, back);
  CHECK(text_of(checkpoint(again, "last")) == text_of(checkpoint(out, "last")));
  CHECK(contents(out) == before);
}

TEST_CASE("the newest state by any of its names goes on in place") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  make_three(straight);
  for (const char* name : {"last", "epoch-0002", "copy"}) {
    const std::string out = folder.path(std::string("run-") + name);
    make_three(out, {"--max-steps", "6"});
    fs::copy_file(checkpoint(out, "last"), checkpoint(out, "copy"));
    make_small_run(out, joined(kThree, {"--resume", checkpoint(out, name)}));
    for (const char* file : {"last", "best", "epoch-0003"}) {
      CHECK(text_of(checkpoint(out, file)) == text_of(checkpoint(straight, file)));
    }
    CHECK(events_of(out) == events_of(straight));
  }
}

TEST_CASE("where the newest states are damaged, a run goes back to a kept one in place") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  make_three(straight);
  const std::string out = folder.path("run");
  make_three(out);
  for (const char* name : {"last", "last.prev", "epoch-0002", "epoch-0003"}) {
    fs::remove(checkpoint(out, name));  // a name of its own, then garbage
    std::ofstream(checkpoint(out, name)) << "garbage";
  }
  make_small_run(out, joined(kThree, {"--resume", checkpoint(out, "epoch-0001")}));
  CHECK(text_of(checkpoint(out, "last")) == text_of(checkpoint(straight, "last")));
  CHECK(text_of(checkpoint(out, "epoch-0002")) == text_of(checkpoint(straight, "epoch-0002")));
  CHECK(events_of(out) == events_of(straight));
}

TEST_CASE("where only best and kept ones are left, a run does not begin again over them") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  make_three(straight);
  const std::string out = folder.path("run");
  make_three(out);
  for (const char* name : {"last", "last.prev"}) fs::remove(checkpoint(out, name));
  const auto before = contents(out);
  for (const Words& more : {Words{}, Words{"--dry-run"}}) {
    CHECK(refuses(small_train(out, joined(kThree, joined({"--resume", "auto"}, more))), 5,
                  out + "/checkpoints: has no last checkpoint, but others; go on from one of them "
                        "with --resume FILE, or choose another folder with --out"));
  }
  CHECK(contents(out) == before);
  make_small_run(out, joined(kThree, {"--resume", checkpoint(out, "epoch-0002")}));
  CHECK(text_of(checkpoint(out, "last")) == text_of(checkpoint(straight, "last")));
  CHECK(events_of(out) == events_of(straight));
}

TEST_CASE("resuming a run that is done changes no file and tells its result again") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_three(out);
  const auto before = contents(out);
  const Words again = small_train(out, joined(kThree, {"--resume", "auto"}));
  const ProgramResult result = run_program(again);
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  CHECK(result.out.find("done before, at step 9 of 9: nothing is left to train") !=
        std::string::npos);
  CHECK(result.out.find(" on the 16 test images, weights after step 9\n") != std::string::npos);
  CHECK(result.out.find("next         diagrad eval " + out) != std::string::npos);
  json said = json_of(joined(again, {"--json", "--quiet"}));
  said.erase("folder");
  CHECK(said == json::parse(text_of(out + "/result.json")));
  CHECK(contents(out) == before);
}

TEST_CASE("a run that stopped at its limit keeps its result, and loses it when it goes on") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const Words stopped = joined(kThree, {"--max-steps", "4"});
  make_small_run(out, stopped);
  const auto before = contents(out);
  make_small_run(out, joined(stopped, {"--resume", "auto"}));
  CHECK(contents(out) == before);
  make_small_run(out, joined(kThree, {"--resume", "auto", "--max-steps", "5"}));
  CHECK(json::parse(text_of(out + "/result.json")).at("steps") == 5);
}

TEST_CASE("a result that is missing or of something else is made again, with the speed it had") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_three(out);
  const json first = json::parse(text_of(out + "/result.json"));
  const Words again = joined(kThree, {"--resume", "auto"});
  for (const std::string& damage : {std::string(), std::string("{}"), std::string("garbage"),
                                    text_of(out + "/result.json").substr(0, 200)}) {
    CAPTURE(damage);
    fs::remove(out + "/result.json");
    if (!damage.empty()) std::ofstream(out + "/result.json") << damage;
    make_small_run(out, again);
    json second = json::parse(text_of(out + "/result.json"));
    CHECK(second.at("images_per_second").get<double>() > 0.0);
    for (const char* key : {"images_per_second", "seconds"}) second[key] = first[key];
    CHECK(second == first);
  }
}

TEST_CASE("a signal while a finished run is evaluated again does not take its result") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const std::string result = text_of(out + "/result.json");
  // On other data the result does not stand. There are so many that the signal comes in time.
  const Words more = {"--resume", "auto", "--other-data", "--data",
                      "shapes:size=16,train=24,test=1000000"};
  ProgramOptions options;
  options.watch = [sent = false](const std::string& text, int process) mutable {
    if (sent || text.find("goes on after step 3") == std::string::npos) return;
    sent = true;
    kill(process, SIGINT);
  };
  CHECK(run_program(small_train(out, more), options).code == 130);
  CHECK(text_of(out + "/result.json") == result);
}

TEST_CASE("of several runs those that are done stay as they are") {
  const TemporaryFolder folder;
  const std::string out = folder.path("runs");
  const Words two = {"--runs", "2"};
  make_small_run(out + "/seed-0");
  const auto first = contents(out + "/seed-0");
  const json all =
      json_of(small_train(out, {"--runs", "2", "--resume", "auto", "--json", "--quiet"}));
  CHECK(contents(out + "/seed-0") == first);
  CHECK(all.at("runs")[0].at("images_per_second").get<double>() > 0.0);
  CHECK(all.at("runs")[1].at("seed") == 1);
  CHECK(json_of(small_train(out, {"--runs", "2", "--resume", "auto", "--json", "--quiet"})) == all);
}

TEST_CASE("several runs do not begin in the folder of one") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  make_small_run(out);
  const auto before = contents(out);
  CHECK(refuses(small_train(out, {"--runs", "2"}), 2,
                "--out: " + out + " is the folder of a single run; choose another one for 2 runs"));
  CHECK(contents(out) == before);
}

TEST_CASE("several runs go on only in a folder that is named, with seeds that there are") {
  const TemporaryFolder folder;
  ProgramOptions here;
  here.folder = folder.path();
  CHECK(refuses(small_train("", {"--runs", "2", "--resume", "auto"}), 2,
                "runs: --resume auto does not find the folder of 2 runs by itself; name it with "
                "--out",
                here));
  CHECK(refuses(small_train(folder.path("x"), {"--runs", "2", "--seed", "9223372036854775807"}), 2,
                "runs: 2 seeds from 9223372036854775807 on go beyond the largest, "
                "9223372036854775807; use a smaller --seed"));
  CHECK(contents(folder.path()).empty());
}

TEST_CASE("where no run is left to go on with, a note says that a new one begins") {
  const TemporaryFolder folder;
  ProgramOptions here;
  here.folder = folder.path();
  const auto resume = [&](const Words& more) {
    return run_program(small_train("", joined({"--resume", "auto"}, more)), here);
  };
  const std::string note =
      "diagrad: note: resume: no unfinished run of resnet8-dia-lstm-shapes lies in runs, this is a "
      "new one\n";
  const ProgramResult first = resume({"--max-steps", "2"});
  CHECK(first.code == 0);
  CHECK(first.err == note);
  const ProgramResult second = resume({});  // the first one has a result, of step 2
  CHECK(second.err == note);
  CHECK(second.out.find("goes on") == std::string::npos);
}

}  // namespace
}  // namespace diagrad::testing
