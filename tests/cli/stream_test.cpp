#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// Standard streams that are closed from the start, full, or left by whoever was at their other end.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

const Words kTwo = {"--epochs", "2"};
const Words kLong = {"--epochs", "40", "--schedule", "onecycle"};

std::string last_of(const std::string& run) {
  return text_of(run + "/checkpoints/last.safetensors");
}

/// What of metrics.csv is the same in each run: the header and the columns before the seconds.
std::string metrics_of(const std::string& run) {
  std::string text;
  for (const std::string& line : lines_of(text_of(run + "/metrics.csv"))) {
    size_t end = line.rfind(',');
    end = line.rfind(',', end - 1);
    text += line.substr(0, end) + "\n";
  }
  return text;
}

TEST_CASE("with standard streams closed a run writes the same files, and goes on from them") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  make_small_run(straight, kTwo);
  for (int set = 1; set < 8; ++set) {
    ProgramOptions options;
    for (const int descriptor : {0, 1, 2}) {
      if ((set >> descriptor & 1) != 0) options.closed.push_back(descriptor);
    }
    CAPTURE(set);
    const std::string out = folder.path("run" + std::to_string(set));
    for (const char* most : {"2", "4", "0"}) {
      const Words words = joined(kTwo, {"--resume", "auto", "--max-steps", most});
      const ProgramResult result = run_program(small_train(out, words), options);
      CHECK(result.code == 0);
      CHECK(result.err.empty());
    }
    CHECK(events_of(out) == events_of(straight));
    CHECK(metrics_of(out) == metrics_of(straight));
    CHECK(last_of(out) == last_of(straight));
  }
}

/// Commands whose output is their result.
std::vector<Words> result_commands(const std::string& run) {
  return {{"--version"},
          {"train", "--help"},
          {"train", "--print-config"},
          {"models"},
          {"recipes", "--json"},
          {"info"},
          {"summary", "--model", "resnet8"},
          {"report", run},
          {"eval", run, "--threads", "1"},
          {"eval", run, "--threads", "1", "--json", "--quiet"},
          small_train(run + "-not", {"--dry-run"})};
}

TEST_CASE("a result that cannot be written is exit code 1 and one line") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_small_run(run);
  ProgramOptions closed;
  closed.closed = {1};
  ProgramOptions full;
  full.output_file = "/dev/full";
  ProgramOptions silent;
  silent.closed = {1, 2};
  for (const Words& words : result_commands(run)) {
    CAPTURE(words.back());
    CHECK(refuses(words, 1, "cannot write to standard output: Bad file descriptor", closed));
    CHECK(refuses(words, 1, "cannot write to standard output: No space left on device", full));
    CHECK(run_program(words, silent).code == 1);
  }
}

TEST_CASE("a reader that left ends a command silently, with the code of SIGPIPE") {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  make_small_run(run);
  ProgramOptions options;
  options.has_reader = false;
  for (const bool is_ignored : {false, true}) {
    if (is_ignored) options.ignored = {SIGPIPE};
    for (const Words& words : result_commands(run)) {
      CAPTURE(words.back());
      const ProgramResult result = run_program(words, options);
      CHECK(result.code == 128 + SIGPIPE);
      CHECK(result.err.empty());
    }
  }
}

TEST_CASE("a reader that leaves does not end a training") {
  const TemporaryFolder folder;
  ProgramOptions none;
  none.has_reader = false;
  ProgramOptions leaves;
  leaves.leaves_at = "epoch 1/2";
  const std::string straight = folder.path("straight");
  make_small_run(straight, kTwo);
  int number = 0;
  for (const ProgramOptions& options : {none, leaves}) {
    for (const char* json : {"--json=false", "--json"}) {
      const std::string out = folder.path("run" + std::to_string(++number));
      const ProgramResult result = run_program(small_train(out, joined(kTwo, {json})), options);
      CHECK(result.code == 0);
      CHECK(result.err.find("error") == std::string::npos);
      CHECK(fs::exists(out + "/result.json"));
      CHECK(last_of(out) == last_of(straight));
    }
  }
}

TEST_CASE("a reader that left does not hide how a training failed") {
  const TemporaryFolder folder;
  ProgramOptions options;
  options.has_reader = false;
  CHECK(fails(small_train(folder.path("run"), {"--lr", "1e30"}), 4, "; there is no checkpoint yet",
              options));
}

TEST_CASE("a training into a full disk is saved, and says at its end that its words are lost") {
  const TemporaryFolder folder;
  ProgramOptions options;
  options.output_file = "/dev/full";
  const std::string out = folder.path("run");
  CHECK(refuses(small_train(out, kTwo), 1,
                "cannot write to standard output: No space left on device; the run is saved",
                options));
  CHECK(fs::exists(out + "/result.json"));
  ProgramOptions closed;
  closed.closed = {1};
  const ProgramResult json = run_program(small_train(folder.path("json"), {"--json"}), closed);
  CHECK(json.code == 1);
  CHECK(lines_of(json.err).back() ==
        "diagrad: error: cannot write to standard output: Bad file descriptor; the run is saved");
}

ProgramOptions on_terminal() {
  ProgramOptions options;
  options.terminal_columns = 80;
  options.environment = {{"TERM", "dumb"}};
  return options;
}

TEST_CASE("a terminal that goes away does not end a training that is not its own") {
  const TemporaryFolder folder;
  ProgramOptions options = on_terminal();
  options.leaves_at = "epoch 1/3";
  for (const bool is_nohup : {false, true}) {
    if (is_nohup) {
      options.owns_terminal = true;
      options.ignored = {SIGHUP};
    }
    const std::string out = folder.path(is_nohup ? "nohup" : "run");
    const ProgramResult result = run_program(small_train(out, {"--epochs", "3"}), options);
    CHECK(result.code == 0);
    CHECK(result.err.empty());
    CHECK(fs::exists(out + "/result.json"));
  }
}

TEST_CASE("a training whose terminal goes away is saved, and goes on to the same bits") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  make_small_run(straight, kLong);
  ProgramOptions options = on_terminal();
  options.owns_terminal = true;
  options.leaves_at = "epoch 1/40";
  const std::string out = folder.path("run");
  const ProgramResult result = run_program(small_train(out, kLong), options);
  CHECK(result.code == 128 + SIGHUP);
  CHECK(result.err.empty());
  CHECK_FALSE(fs::exists(out + "/result.json"));
  CHECK(text_of(out + "/run.json").find("\"reason\": \"signal 1\"") != std::string::npos);
  make_small_run(out, joined(kLong, {"--resume", "auto"}));
  CHECK(last_of(out) == last_of(straight));
  CHECK(events_of(out) == events_of(straight));
}

}  // namespace
}  // namespace diagrad::testing
