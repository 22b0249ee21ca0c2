#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/data/loader.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/option_set.h"
#include "diagrad/train/cli/progress.h"
#include "diagrad/train/cli/runs.h"
#include "diagrad/train/cli/text.h"
#include "diagrad/train/file.h"
#include "diagrad/train/job.h"
#include "diagrad/train/run_folder.h"
#include "diagrad/train/schedule.h"
#include "diagrad/train/trainer.h"

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

class TrainCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  int run() override;

 private:
  int dry_run(const Options& options, Console& console) const;
  int train_one(const Options& options, Console& console) const;
  int train_all(const Options& options, Console& console) const;
  int stopped(const TrainResult& result, Console& console) const;

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
                    "train N times, with seeds counted up from --seed; tells "
                    "mean and standard deviation"},
                   runs_);
  arguments.flag({"print-config", "", "", "print the options as a config file and leave"},
                 print_config_);
  arguments.flag({"dry-run", "", "",
                  "open the data, build the model, tell what would run; write "
                  "nothing"},
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
  if (print_config_) {
    fmt::print("{}", train::to_toml(options));
    return kDone;
  }
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const PipeGuard guard;
  Console console(quiet_, json_);
  if (dry_run_) return dry_run(options, console);
  return runs_ == 1 ? train_one(options, console) : train_all(options, console);
}

int TrainCommand::dry_run(const Options& options, Console& console) const {
  const TrainJob job = train::make_job(options);
  const int64_t batches = data::Loader(job.train, {.batch = options.batch}).batch_count();
  console.line(fmt::format("{} training and {} {} pictures of {}", thousands(job.train->size()),
                           thousands(job.eval_set()->size()), job.eval_name(),
                           job.train->info().image.str()));
  console.line("dry run: nothing was written");
  return batches > 0 ? kDone : kUsage;
}

TrainResult train_job(const Options& options, Console& console) {
  const TrainJob job = train::make_job(options);
  TrainProgress progress(console, job.options);
  TrainResult result = train::train(job, progress);
  console.status("");
  return result;
}

int TrainCommand::stopped(const TrainResult& result, Console& console) const {
  console.line(fmt::format("stopped by signal {} and saved at step {}; to go on:", result.signal,
                           thousands(result.steps)));
  const std::string folder = printable(result.folder);
  console.line(fmt::format("  diagrad train --config {}/config.toml --out {} --resume auto", folder,
                           folder));
  return kSignal + result.signal;
}

int TrainCommand::train_one(const Options& options, Console& console) const {
  const TrainResult result = train_job(options, console);
  if (result.signal != 0) return stopped(result, console);
  if (json_) console.json(train::result_json(result, options));
  return kDone;
}

int TrainCommand::train_all(const Options& options, Console& console) const {
  const std::string base = options.out.empty() ? train::new_run_folder(options) : options.out;
  std::vector<TrainResult> results;
  for (int64_t run = 0; run < runs_; ++run) {
    Options own = options;
    own.seed = options.seed + run;
    own.out = fmt::format("{}/seed-{}", base, own.seed);
    console.line(console.styled(Style::bold,
                                fmt::format("run {} of {}, seed {}", run + 1, runs_, own.seed)));
    results.push_back(train_job(own, console));
    if (results.back().signal != 0) return stopped(results.back(), console);
    console.line("");
  }
  const std::string json = runs_json(results, options);
  train::write_file(base + "/runs.json", json + "\n");
  if (json_) console.json(json);
  return kDone;
}

}  // namespace

std::unique_ptr<Command> make_train_command() {
  return std::make_unique<TrainCommand>();
}

}  // namespace diagrad::cli
