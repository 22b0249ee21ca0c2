#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "diagrad/core/device.h"
#include "diagrad/core/error.h"
#include "diagrad/core/file.h"
#include "diagrad/core/text.h"
#include "diagrad/core/threads.h"
#include "diagrad/models/registry.h"
#include "diagrad/train/bench/trace_file.h"
#include "diagrad/train/cli/bench_output.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/image_size.h"
#include "diagrad/train/cli/option_set.h"
#include "diagrad/train/tasks/synthetic.h"

namespace diagrad::cli {
namespace {

class BenchCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  int run() override;

 private:
  void open_trace(std::optional<AtomicFile>& file) const;
  BenchReport measure() const;

  OptionSet set_;
  std::string input_;
  std::string trace_;
  int64_t steps_ = 10;
  int64_t warmup_ = 3;
  bool profile_ = false;
  bool quiet_ = false;
  bool json_ = false;
};

void BenchCommand::declare(Arguments& arguments) {
  set_.declare(arguments, {"task", "model", "model-opt", "attention", "sharing", "classes",
                           "precision", "math", "seed", "batch", "optimizer", "device", "threads"});
  arguments.heading("Command");
  arguments.option({"input", "HxWxC", "", "size of one image; empty: the model's, or 32x32x3"},
                   input_);
  arguments.option({"steps", "N", "10", "training steps that are timed"}, steps_);
  arguments.option({"warmup", "N", "3", "steps before them, at least one"}, warmup_);
  arguments.flag({"profile", "", "", "a table of operations: calls, time, GFLOP/s, GB/s"},
                 profile_);
  arguments.option(
      {"trace", "FILE", "", "write the timed steps for chrome://tracing or ui.perfetto.dev"},
      trace_);
  arguments.flag({"quiet", "", "", "say nothing but errors"}, quiet_);
  arguments.flag({"json", "", "", "print JSON for programs"}, json_);
}

void check_range(const char* name, int64_t value, int64_t low, int64_t high) {
  DG_CHECK(value >= low && value <= high, "--{}: {} is out of range, use {} to {}", name, value,
           low, high);
}

int BenchCommand::run() {
  check_range("steps", steps_, 1, 1'000'000);
  check_range("warmup", warmup_, 1, 1'000'000);
  // A file that cannot be written is known now, not after the work.
  std::optional<AtomicFile> file;
  if (!trace_.empty()) open_trace(file);
  const BenchReport report = measure();
  Console console(quiet_, json_);
  if (file) {
    file->write(train::chrome_trace(*report.result.profile,
                                    fmt::format("diagrad bench {}", report.options.model)));
    file->commit();
  }
  if (json_) {
    console.json(bench_json(report));
  } else {
    print_bench(console, report);
    if (file) console.line("trace in " + printable(trace_));
  }
  return kDone;
}

void BenchCommand::open_trace(std::optional<AtomicFile>& file) const {
  std::error_code ignored;
  DG_CHECK(!std::filesystem::is_directory(trace_, ignored),
           "--trace: {} is a folder, expected the name of a file to write", trace_);
  try {
    file.emplace(trace_);
  } catch (const Error& error) {
    fail(ErrorKind::usage, "--trace: {}; name a file in a folder that can be written",
         error.what());
  }
}

BenchReport BenchCommand::measure() const {
  BenchReport report{set_.read(), {}, {}, profile_};
  train::Options& options = report.options;
  report.bench = {.input = input_of(input_, options.model),
                  .steps = steps_,
                  .warmup = warmup_,
                  .profile = profile_ || !trace_.empty()};
  DG_CHECK(report.bench.input.back() <= 3, "--input: {} has {} channels, images have 1 to 3",
           input_, report.bench.input.back());
  try {
    parse_device(options.device);
    options.classes = train::synthetic_outputs(*train::make_task(options.task), report.bench.input,
                                               options.classes);
    if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
    options.sharing =
        nn::name(models::sharing_of(options.model, options.attention, options.sharing));
    report.result = train::bench_steps(options, report.bench);
  } catch (const Error& error) {
    throw set_.placed(error);
  }
  return report;
}

[[maybe_unused]] const bool registered =
    register_command({.name = "bench",
                      .help = "time training steps on made-up images: images/s, GFLOP/s, memory",
                      .position = 50,
                      .make = [] { return std::make_unique<BenchCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
