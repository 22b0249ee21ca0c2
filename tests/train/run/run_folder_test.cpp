#include "diagrad/train/run/run_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/signals.h"
#include "tests/data/support.h"
#include "tests/support/op_case.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;
using testing::error_message;
using testing::TemporaryFolder;

std::string text_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void append(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

Options in_folder(const std::string& out, const std::string& resume = "") {
  Options options;
  options.out = out;
  options.resume = resume;
  return options;
}

/// The columns of a task with a loss and an accuracy.
RowLayout layout() {
  return {{{.name = "loss", .higher_is_better = false}, {.name = "accuracy", .is_share = true}},
          "test",
          false};
}

/// Rows of two epochs of five steps each, a second per step.
void fill(RunFolder& run, int64_t from) {
  for (int64_t step = from; step <= 10; ++step) {
    const auto seconds = static_cast<double>(step);
    run.add(StepRow{.step = step,
                    .epoch = (step + 4) / 5,
                    .metrics = {{"loss", 0.5}, {"accuracy", 0.25}},
                    .seconds = seconds});
    if (step % 5 == 0) {
      run.add(EpochRow{.epoch = step / 5, .step = step, .eval_set = "test", .seconds = seconds});
    }
  }
  run.flush();
}

TEST_CASE("rows after the restored step are cut, also one that was not written to its end") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  {
    RunFolder run(in_folder(out));
    run.start(Options(), layout(), 0);
    CHECK(run.seconds_before() == 0.0);
    fill(run, 1);
  }
  const std::string events = text_of(out + "/events.jsonl");
  const std::string metrics = text_of(out + "/metrics.csv");
  CHECK(std::count(events.begin(), events.end(), '\n') == 10);
  CHECK(std::count(metrics.begin(), metrics.end(), '\n') == 3);
  append(out + "/events.jsonl", R"({"step":11,"seco)");
  append(out + "/metrics.csv", "3,15,0.1");
  for (const int64_t step : {7, 5, 4, 10, 0}) {
    RunFolder run(in_folder(out, "auto"));
    run.start(Options(), layout(), step);
    CHECK(run.seconds_before() == static_cast<double>(step));
    fill(run, step + 1);
    CHECK(text_of(out + "/events.jsonl") == events);
    CHECK(text_of(out + "/metrics.csv") == metrics);
  }
  append(out + "/metrics.csv", "not a row\n3,15,0.1,,,,,,,\n");
  RunFolder run(in_folder(out, "auto"));
  run.start(Options(), layout(), 99);
  CHECK(text_of(out + "/metrics.csv") == metrics);
}

TEST_CASE("the columns of metrics.csv are named after the metrics and the set") {
  const TemporaryFolder folder;
  RunFolder run(in_folder(folder.path("run")));
  RowLayout columns = layout();
  columns.eval_set = "validation";
  columns.has_ema = true;
  run.start(Options(), columns, 0);
  run.add(EpochRow{.epoch = 1,
                   .step = 5,
                   .lr = 0.1,
                   .train = {{"loss", 2.0}, {"accuracy", 0.25}},
                   .eval_set = "validation",
                   .eval = {{"loss", 1.5}, {"accuracy", 0.5}},
                   .ema = {{"loss", 1.25}, {"accuracy", NAN}},
                   .seconds = 2.0,
                   .images_per_second = 64.0});
  run.add(EpochRow{.epoch = 2, .step = 10, .train = {{"loss", 1.0}, {"accuracy", 0.5}}});
  run.flush();
  CHECK(text_of(run.path() + "/metrics.csv") ==
        "epoch,step,lr,train/loss,train/accuracy,validation/loss,validation/accuracy,"
        "validation_ema/loss,validation_ema/accuracy,seconds,images_per_second\n"
        "1,5,0.1,2,0.25,1.5,0.5,1.25,null,2.000,64.0\n"
        "2,10,0,1,0.5,,,,,0.000,0.0\n");
}

TEST_CASE("rows that are nested without end or count beyond all numbers are cut, too") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  for (const std::string& bad :
       {std::string(100000, '['), R"({"step":2,"seconds":)" + std::string(100000, '[') + "}",
        std::string(R"({"step":18446744073709551615,"seconds":1})"),
        std::string(R"({"step":1e300,"seconds":1})")}) {
    fs::remove_all(out);
    fs::create_directories(out);
    append(out + "/events.jsonl", R"({"step":1,"seconds":1.5})"
                                  "\n" +
                                      bad + "\n");
    RunFolder run(in_folder(out, "auto"));
    run.start(Options(), layout(), 5);
    CHECK(run.seconds_before() == 1.5);
    CHECK(text_of(out + "/events.jsonl") == R"({"step":1,"seconds":1.5})"
                                            "\n");
  }
}

TEST_CASE("a log that is a pipe is refused instead of waited for") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  fs::create_directories(out);
  REQUIRE(mkfifo((out + "/events.jsonl").c_str(), 0600) == 0);
  RunFolder run(in_folder(out, "auto"));
  CHECK(error_message([&] {
          run.start(Options(), layout(), 0);
        }).rfind(out + "/events.jsonl: ", 0) == 0);
}

TEST_CASE("a log that is a link is refused, and the file behind it stays as it is") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  const std::string other = folder.write("other", {'o'});
  fs::create_directories(out);
  fs::create_symlink(other, out + "/metrics.csv");
  RunFolder run(in_folder(out, "auto"));
  CHECK(error_message([&] { run.start(Options(), layout(), 0); }) ==
        out + "/metrics.csv: is a symbolic link, expected a file of the run's own");
  CHECK(text_of(other) == "o");
}

TEST_CASE("every row is valid JSON, numbers that are not finite included") {
  const TemporaryFolder folder;
  RunFolder run(in_folder(folder.path("run")));
  run.start(Options(), layout(), 0);
  run.add(StepRow{.step = 1, .metrics = {{"loss", 1.0 / 3.0}}, .grad_norm = INFINITY});
  run.flush(true);
  const auto row = nlohmann::json::parse(text_of(run.path() + "/events.jsonl"));
  CHECK(row["train/loss"].get<double>() == 1.0 / 3.0);
  CHECK(row["grad_norm"].is_null());
  const auto environment = nlohmann::json::parse(text_of(run.path() + "/env.json"));
  CHECK(environment["threads"].is_number_integer());
  CHECK(environment["libraries"]["fmt"].is_string());
  CHECK(text_of(run.path() + "/config.toml").find("\nout = \"\"\n") != std::string::npos);
}

TEST_CASE("a folder that holds a run, is in use or cannot be made is refused") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  {
    RunFolder run(in_folder(out));
    run.start(Options(), layout(), 0);
    CHECK(error_message([&] { RunFolder second(in_folder(out, "auto")); }) ==
          "out: another process is writing to " + out +
              "; wait for it or choose another folder with --out");
  }
  CHECK(error_message([&] { RunFolder second(in_folder(out)); }) ==
        "out: " + out +
            " holds a run already; continue it with --resume auto or choose another folder");
  RunFolder again(in_folder(out, "auto"));
  append(folder.path("file"), "");
  CHECK(error_message([&] { RunFolder bad(in_folder(folder.path("file") + "/run")); }) ==
        "out: " + folder.path("file") +
            "/run cannot be made: Not a directory; choose another folder with --out");
}

/// Works in a temporary folder until the end of the scope.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::string& path) : before_(fs::current_path()) {
    fs::current_path(path);
  }
  ~WorkingFolder() { fs::current_path(before_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  fs::path before_;
};

TEST_CASE("without --out a run gets a folder of its own, and --resume auto finds it again") {
  const TemporaryFolder folder;
  const WorkingFolder here(folder.path());
  Options options;
  options.data = "/some/where/cifar 10/";
  options.attention = "dia-lstm:reduction=4";
  CHECK(run_name(options) == "resnet20-dia-lstm-cifar-10");
  options.data = "shapes:size=16,train=10";
  std::string first;
  {
    RunFolder run(options);
    first = run.path();
    CHECK(first.rfind("runs/20", 0) == 0);
    CHECK(first.find("-resnet20-dia-lstm-shapes") != std::string::npos);
    run.start(options, layout(), 0);
    RunFolder other(options);
    CHECK(other.path() != first);
  }
  options.resume = "auto";
  {
    RunFolder run(options);
    CHECK(run.path() == first);  // the other one never started
    run.write_result("{}");
  }
  CHECK(RunFolder(options).path() != first);  // has its result
  options.resume = first + "/checkpoints/last.safetensors";
  CHECK(RunFolder(options).path() == first);
  options.model = "resnet56";
  options.resume = "auto";
  CHECK(RunFolder(options).path().find("resnet56") != std::string::npos);
}

/// A run that began and has no result, in a folder of this name.
void begin_run(const std::string& name, const std::string& data) {
  Options options;
  options.data = data;
  options.out = "runs/" + name;
  RunFolder(options).start(options, layout(), 0);
}

TEST_CASE("--resume auto takes the newest run of exactly these names") {
  const TemporaryFolder folder;
  const WorkingFolder here(folder.path());
  const auto found = [](const std::string& data) {
    Options options = in_folder("", "auto");
    options.data = data;
    return find_run_folder(options);
  };
  CHECK(found("cifar-10").rfind("runs/20", 0) == 0);  // no folder runs: a new one
  const std::string first = "20260101-000000-resnet20-dia-lstm-cifar";
  begin_run(first, "some/cifar");
  begin_run("20260102-000000-resnet20-dia-lstm-cifar-10", "other/cifar-10");
  begin_run("20260103-000000-resnet20-dia-lstm-cifar-10-lossless", "cifar-10-lossless");
  begin_run("20260104-000000-my-resnet20-dia-lstm-cifar-10", "cifar-10");
  begin_run("20260105-000000-resnet20-dia-lstm-cifar-100", "cifar-100");
  CHECK(found("cifar-10") == "runs/20260102-000000-resnet20-dia-lstm-cifar-10");
  CHECK(found("cifar") == "runs/" + first);
  for (const int number : {2, 9, 10, 11}) begin_run(fmt::format("{}-{}", first, number), "cifar");
  CHECK(found("cifar") == "runs/" + first + "-11");
  CHECK(found("cifar-10") == "runs/20260102-000000-resnet20-dia-lstm-cifar-10");
  fs::create_directories("runs/20260109-000000-resnet20-dia-lstm-cifar");  // holds nothing
  append("runs/20260108-000000-resnet20-dia-lstm-cifar", "a file");
  CHECK(found("cifar") == "runs/" + first + "-11");
}

TEST_CASE("the newest run is the one that began last, whatever the clock said") {
  const TemporaryFolder folder;
  const WorkingFolder here(folder.path());
  Options options = in_folder("", "auto");
  options.data = "cifar";
  const auto folder_of = [](const char* date) {
    return fmt::format("runs/{}-000000-resnet20-dia-lstm-cifar", date);
  };
  const std::string first = folder_of("20260105");
  const std::string second = folder_of("20260101");
  const auto begin = [&](const std::string& path) { begin_run(path.substr(5), "cifar"); };
  begin(first);
  begin(second);
  CHECK(find_run_folder(options) == second);
  // That it goes on later does not make it newer.
  RunFolder(in_folder(first, "auto")).start(options, layout(), 0);
  CHECK(find_run_folder(options) == second);
  // Folders without a number are older than those with one, and ordered by their names.
  fs::remove(first + "/env.json");
  append(first + "/env.json", "{}");
  CHECK(find_run_folder(options) == second);
  fs::remove(second + "/env.json");
  CHECK(find_run_folder(options) == first);
  begin(folder_of("20251231"));
  CHECK(find_run_folder(options) == folder_of("20251231"));
  // Two that began at the same moment may have the same number.
  for (const std::string& path : {first, second}) {
    fs::remove(path + "/env.json");
    append(path + "/env.json", R"({"number": 7})");
  }
  CHECK(find_run_folder(options) == first);
  CHECK(run_number("runs") == 0);
  CHECK(run_number(first) == 7);
}

TEST_CASE("runs that begin at the same moment get a folder each") {
  const TemporaryFolder folder;
  const WorkingFolder here(folder.path());
  std::vector<std::string> paths(8);
  std::vector<std::thread> threads;
  for (std::string& path : paths) {
    threads.emplace_back([&path] { path = make_new_run_folder(Options()); });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(paths.begin(), paths.end());
  CHECK(std::unique(paths.begin(), paths.end()) == paths.end());
  for (const std::string& path : paths) CHECK(fs::is_directory(path));
}

TEST_CASE("rows stay where an editor has saved the log with its own line ends") {
  const TemporaryFolder folder;
  const std::string out = folder.path("run");
  {
    RunFolder run(in_folder(out));
    run.start(Options(), layout(), 0);
    fill(run, 1);
  }
  for (const char* name : {"/metrics.csv", "/events.jsonl"}) {
    std::string text = "\xEF\xBB\xBF";
    for (const char c : text_of(out + name)) text += c == '\n' ? "\r\n" : std::string(1, c);
    fs::remove(out + name);
    append(out + name, text);
  }
  RunFolder run(in_folder(out, "auto"));
  run.start(Options(), layout(), 10);
  CHECK(run.seconds_before() == 10.0);
  const std::string metrics = text_of(out + "/metrics.csv");
  const std::string events = text_of(out + "/events.jsonl");
  CHECK(std::count(metrics.begin(), metrics.end(), '\n') == 3);
  CHECK(std::count(events.begin(), events.end(), '\n') == 10);
}

TEST_CASE("a folder that holds a run takes no checkpoint of another one") {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    RunFolder run(in_folder(folder.path(name)));
    run.start(Options(), layout(), 0);
    append(folder.path(name) + "/checkpoints/last.safetensors", "x");
  }
  const std::string own = folder.path("a/checkpoints/last.safetensors");
  CHECK(find_run_folder(in_folder(folder.path("a"), own)) == folder.path("a"));
  CHECK(find_run_folder(in_folder(folder.path("a/../a/"), own)) == folder.path("a/../a/"));
  CHECK(find_run_folder(in_folder(folder.path("new"), own)) == folder.path("new"));
  fs::create_symlink(own, folder.path("link"));
  CHECK(find_run_folder(in_folder(folder.path("a"), folder.path("link"))) == folder.path("a"));
  CHECK(error_message([&] { find_run_folder(in_folder(folder.path("b"), own)); }) ==
        "out: " + folder.path("b") + " holds a run, and " + own +
            " is none of its checkpoints; choose a new folder, or continue the run that is there "
            "with --resume auto");
}

TEST_CASE("the first signal is noted, and handlers come back") {
  struct sigaction before = {};
  sigaction(SIGTERM, nullptr, &before);  // doctest's own
  {
    const SignalGuard guard;
    CHECK(guard.caught() == 0);
    std::raise(SIGTERM);
    CHECK(guard.caught() == SIGTERM);
  }
  struct sigaction after = {};
  sigaction(SIGTERM, nullptr, &after);
  const bool is_back = after.sa_handler == before.sa_handler;
  CHECK(is_back);
  const SignalGuard again;
  CHECK(again.caught() == 0);
}

TEST_CASE("signals that come several times, or after a warning, do not end the process") {
  const SignalGuard guard;
  for (const int signal : {SIGHUP, SIGHUP, SIGUSR1, SIGUSR1, SIGUSR2, SIGXCPU, SIGXCPU, SIGTERM}) {
    std::raise(signal);
  }
  CHECK(guard.caught() == SIGHUP);
}

TEST_CASE("a signal that was ignored is not noted") {
  const auto before = std::signal(SIGUSR2, SIG_IGN);
  {
    const SignalGuard guard;
    std::raise(SIGUSR2);
    CHECK(guard.caught() == 0);
  }
  const bool is_ignored = std::signal(SIGUSR2, before) == SIG_IGN;
  CHECK(is_ignored);
}

constexpr const char* kSignalled = "the process that gets two signals";

TEST_CASE(kSignalled* doctest::skip()) {
  const SignalGuard guard;
  std::raise(SIGINT);
  std::raise(SIGTERM);
  FAIL("not reached");
}

TEST_CASE("a second signal quits at once with its code") {
  // A fork alone would keep this process's threads half alive, which a sanitizer does not bear.
  const std::string program = fs::canonical("/proc/self/exe");
  const int status = std::system(
      fmt::format("'{}' --no-skip --test-case='{}' >/dev/null", program, kSignalled).c_str());
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 143);
}

}  // namespace
}  // namespace diagrad::train
