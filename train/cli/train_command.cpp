#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/core/standard_streams.h"
#include "diagrad/core/text.h"
#include "diagrad/core/threads.h"
#include "diagrad/train/cli/closing.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/option_set.h"
#include "diagrad/train/cli/plan.h"
#include "diagrad/train/cli/progress.h"
#include "diagrad/train/cli/runs.h"
#include "diagrad/train/report/reporter.h"
#include "diagrad/train/report/runs_page.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/run_folder.h"
#include "diagrad/train/run/trainer.h"

namespace diagrad::cli {
namespace {

using train::Options;
using train::TrainJob;
using train::TrainResult;

/// While alive, a reader of the output that leaves (`| head`) does not end the training.
class PipeGuard {
 public:
  PipeGuard() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
  ~PipeGuard() { std::signal(SIGPIPE, before_); }
  PipeGuard(const PipeGuard&) = delete;
  PipeGuard& operator=(const PipeGuard&) = delete;

 private:
  void (*before_)(int);
};

/// The folder of several runs, made for them alone; gone again where no run began in it.
class NewFolder {
 public:
  explicit NewFolder(std::string path) : path_(std::move(path)) {}
  ~NewFolder() {
    std::error_code is_used;
    std::filesystem::remove(path_, is_used);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

 private:
  std::string path_;
};

class TrainCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  int run() override;

 private:
  std::vector<Options> options_of_runs(const Options& options) const;
  int dry_run(const Options& options, Console& console) const;
  int train_one(const Options& options, Console& console) const;
  int train_all(const Options& options, Console& console) const;
  int after_output(int code, Console& console) const;

  OptionSet set_;
  int64_t runs_ = 1;
  bool print_config_ = false;
  bool dry_run_ = false;
  bool quiet_ = false;
  bool json_ = false;
};

void TrainCommand::declare(Arguments& arguments) {
  set_.declare(arguments);
  arguments.heading("Command");
  arguments.option({"runs", "N", "1",
                    "train N times, with seeds counted up from --seed; prints "
                    "mean and standard deviation"},
                   runs_);
  arguments.flag({"print-config", "", "", "print the options as a config file and leave"},
                 print_config_);
  arguments.flag({"dry-run", "", "",
                  "open the data, build the model, tell what would run; train and "
                  "write nothing"},
                 dry_run_);
  arguments.flag({"quiet", "", "", "say nothing but errors"}, quiet_);
  arguments.flag({"json", "", "", "print the result as JSON; words go to stderr"}, json_);
}

int TrainCommand::run() {
  const Options options = set_.read();
  DG_CHECK(runs_ >= 1 && runs_ <= 10000, "runs: {} is out of range, use 1 to 10000", runs_);
  DG_CHECK(runs_ == 1 || options.resume.empty() || options.resume == "auto",
           "runs: {} runs cannot all go on from one file {}; use --resume auto with --out", runs_,
           options.resume);
  DG_CHECK(runs_ == 1 || options.resume.empty() || !options.out.empty(),
           "runs: --resume auto does not find the folder of {} runs by itself; name it with --out",
           runs_);
  DG_CHECK(options.seed <= INT64_MAX - (runs_ - 1),
           "runs: {} seeds from {} on go beyond the largest, {}; use a smaller --seed", runs_,
           options.seed, INT64_MAX);
  if (print_config_) {
    write_stream(stdout, train::to_toml(options));
    return kDone;
  }
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  Console console(quiet_, json_);
  try {
    if (dry_run_) return dry_run(options, console);
    const PipeGuard guard;
    const int code = runs_ == 1 ? train_one(options, console) : train_all(options, console);
    return after_output(code, console);
  } catch (const Error& error) {
    throw set_.placed(error);
  }
}

/// One run has the options as they are; each of several its own seed, and a folder in that of all.
std::vector<Options> TrainCommand::options_of_runs(const Options& options) const {
  if (runs_ == 1) return {options};
  const std::string base = options.out.empty() ? train::new_run_folder(options) : options.out;
  DG_CHECK(!train::holds_run(base),
           "out: {} is the folder of a single run; choose another one for {} runs", base, runs_);
  std::vector<Options> all(static_cast<size_t>(runs_), options);
  for (size_t run = 0; run < all.size(); ++run) {
    all[run].seed += static_cast<int64_t>(run);
    all[run].out = fmt::format("{}/seed-{}", base, all[run].seed);
  }
  return all;
}

int TrainCommand::dry_run(const Options& options, Console& console) const {
  const std::vector<Options> runs = options_of_runs(options);
  const TrainJob job = train::make_job(runs.front());
  const RunPlan plan = plan_runs(job, runs);
  for (const std::string& note : plan.notes) console.note(note);
  for (const std::string& line : plan_lines(plan, job)) console.line(line);
  if (json_) console.json(plan_json(plan, job));
  return kDone;
}

TrainResult train_job(const Options& options, Console& console) {
  const TrainJob job = train::make_job(options);
  TrainProgress progress(console, job.options);
  train::Reporter reporter(job, progress);
  train::ListenerGroup listeners({&progress, &reporter});
  try {
    TrainResult result = train::train(job, listeners);
    console.status("");
    return result;
  } catch (const Error&) {
    console.status("");
    if (!progress.folder().empty()) {
      console.line(
          fmt::format("report of the run so far: {}/report.html", printable(progress.folder())));
    }
    throw;
  }
}

/// Lines that begin with the name of the primary metric stand out.
void say(const std::vector<std::string>& lines, const train::Metric& metric, Console& console) {
  for (const std::string& line : lines) {
    const bool is_result = line.rfind(metric.name + " ", 0) == 0;
    console.line(is_result ? console.styled(Style::bold, line) : line);
  }
}

int TrainCommand::train_one(const Options& options, Console& console) const {
  const TrainResult result = train_job(options, console);
  say(closing_lines(result, options), result.primary, console);
  if (result.signal != 0) return kSignal + result.signal;
  if (json_) console.json(run_json(result, options));
  return kDone;
}

int TrainCommand::train_all(const Options& options, Console& console) const {
  Options placed = options;
  std::optional<NewFolder> made;
  if (options.out.empty()) made.emplace(placed.out = train::make_new_run_folder(options));
  const std::vector<Options> runs = options_of_runs(placed);
  const std::string base = std::filesystem::path(runs.front().out).parent_path();
  std::vector<TrainResult> results;
  for (const Options& own : runs) {
    console.line(console.styled(
        Style::bold, fmt::format("run {} of {}, seed {}", results.size() + 1, runs_, own.seed)));
    results.push_back(train_job(own, console));
    if (results.back().signal != 0) {
      say(closing_lines(results.back(), own), results.back().primary, console);
      return kSignal + results.back().signal;
    }
    console.line("");
    // After each run: what is done counts also where a later one fails.
    write_file(base + "/runs.json", runs_json(results, options) + "\n");
    train::write_runs_page(base);
  }
  say(runs_lines(results, options, base), results.front().primary, console);
  if (json_) console.json(runs_json(results, options));
  return kDone;
}

/// The exit code of a run with this one, once its words are written. The run is saved, so words
/// that nobody reads are no failure: `| head`, a terminal that went away, a stream that was closed
/// from the start.
int TrainCommand::after_output(int code, Console& console) const {
  const int reason = take_output_failure();
  const bool has_reader = reason != EPIPE && (json_ || (reason != EIO && reason != EBADF));
  if (reason == 0 || !has_reader) return code;
  const std::string words =
      fmt::format("cannot write to standard output: {}; the run is saved", std::strerror(reason));
  if (code == kDone) fail(ErrorKind::internal, "{}", words);
  console.note(words);
  return code;
}

[[maybe_unused]] const bool registered =
    register_command({.name = "train",
                      .help = "train a model, with everything about the run in one folder",
                      .position = 10,
                      .make = [] { return std::make_unique<TrainCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
