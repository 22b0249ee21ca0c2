#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>

#include "tests/cli/small_run.h"
#include "tests/data/support.h"
#include "tests/train/support.h"

// How a run shows itself, and how it ends when it is told to.

namespace diagrad::testing {
namespace {

namespace fs = std::filesystem;

const Words kLong = {"--epochs", "40", "--schedule", "onecycle"};

/// Sends the signal when the first epoch is done.
ProgramOptions stopped_by(int signal) {
  ProgramOptions options;
  options.watch = [signal, sent = false](const std::string& out, int process) mutable {
    if (sent || out.find("\nepoch 1/") == std::string::npos) return;
    sent = true;
    kill(process, signal);
  };
  return options;
}

TEST_CASE("a run that is told to stop is saved, and goes on to the same bits") {
  const TemporaryFolder folder;
  const std::string straight = folder.path("straight");
  make_small_run(straight, kLong);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    CAPTURE(signal);
    const std::string out = folder.path("run" + std::to_string(signal));
    const ProgramResult stopped = run_program(small_train(out, kLong), stopped_by(signal));
    CHECK(stopped.code == 128 + signal);
    CHECK(stopped.err.empty());
    CHECK(stopped.out.find("stopped by signal " + std::to_string(signal) + ", saved at step ") !=
          std::string::npos);
    CHECK(stopped.out.find("--resume auto") != std::string::npos);
    CHECK_FALSE(fs::exists(out + "/result.json"));
    const std::string state = text_of(out + "/run.json");
    CHECK(state.find("\"phase\": \"stopped\"") != std::string::npos);
    CHECK(state.find("\"reason\": \"signal " + std::to_string(signal) + "\"") != std::string::npos);
    make_small_run(out, joined(kLong, {"--resume", "auto", "--threads", "2"}));
    for (const char* file : {"last", "best"}) {
      const std::string path = std::string("/checkpoints/") + file + ".safetensors";
      CHECK(text_of(out + path) == text_of(straight + path));
    }
    CHECK(events_of(out) == events_of(straight));
    CHECK(fs::exists(out + "/result.json"));
  }
}

TEST_CASE("a signal that the parent has ignored stays ignored") {
  const TemporaryFolder folder;
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) {
    CAPTURE(signal);
    const std::string out = folder.path("run" + std::to_string(signal));
    ProgramOptions options = stopped_by(signal);
    options.ignored = {signal};
    const ProgramResult result = run_program(small_train(out, {"--epochs", "4"}), options);
    CHECK(result.code == 0);
    CHECK(fs::exists(out + "/result.json"));
  }
}

TEST_CASE("in a pipe a run writes plain lines, one per epoch") {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_program(small_train(folder.path("run"), {"--epochs", "2", "--ema-decay", "0.9"}));
  CHECK(result.code == 0);
  CHECK(result.out.find('\x1b') == std::string::npos);
  CHECK(result.out.find('\r') == std::string::npos);
  for (const char* epoch : {"\nepoch 1/2  lr ", "\nepoch 2/2  lr "}) {
    CHECK(result.out.find(epoch) != std::string::npos);
  }
  CHECK(result.out.find("\nepoch 1/2", result.out.find("\nepoch 1/2") + 1) == std::string::npos);
}

TEST_CASE("on a terminal a run draws no wider than it, in colours unless NO_COLOR is set") {
  for (const int width : {200, 80, 40}) {
    const TemporaryFolder folder;
    ProgramOptions options;
    options.terminal_columns = width;
    options.environment = {{"TERM", "xterm"}, {"NO_COLOR", ""}};
    const ProgramResult colored = run_program(small_train(folder.path("a")), options);
    CHECK(colored.code == 0);
    CHECK(colored.out.find("\x1b[1m") != std::string::npos);
    options.environment.emplace_back("NO_COLOR", "1");
    const ProgramResult plain = run_program(small_train(folder.path("b")), options);
    CHECK(plain.code == 0);
    for (const char* code : {"\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"}) {
      CHECK(plain.out.find(code) == std::string::npos);
    }
  }
}

TEST_CASE("a quiet run says nothing") {
  const TemporaryFolder folder;
  const ProgramResult result = run_program(small_train(folder.path("run"), {"--quiet"}));
  CHECK(result.code == 0);
  CHECK(result.out.empty());
  CHECK(result.err.empty());
}

}  // namespace
}  // namespace diagrad::testing
