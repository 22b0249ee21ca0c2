#include "diagrad/train/cli/bench_output.h"

#include <fmt/format.h>

#include <optional>

#include "diagrad/core/text.h"
#include "diagrad/train/run/job.h"

namespace diagrad::cli {
namespace {

using train::ProfileRow;
using train::StepBench;

/// Foreign work above this makes figures of two threads and more doubtful.
constexpr double kBusy = 0.05;

std::string milliseconds(double seconds) {
  return fmt::format("{:.2f} ms", 1e3 * seconds);
}

std::string mebibytes(int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string share_text(const std::optional<double>& share) {
  return share ? percent(*share) : "unknown";
}

void row(Console& console, const char* what, const std::string& figure, const std::string& more) {
  console.line(fmt::format("{:<14}{:>13}{}{}", what, figure, more.empty() ? "" : "  ", more));
}

void print_time(Console& console, const BenchReport& report) {
  const StepBench& r = report.result;
  const auto speed = [&](double seconds) { return rate(report.images_per_second(seconds)); };
  console.line(console.styled(Style::bold,
                              fmt::format("{:<14}{:>13}  median of {} steps; {} .. {}", "images/s",
                                          speed(r.step_seconds.median), report.bench.steps,
                                          speed(r.step_seconds.max), speed(r.step_seconds.min))));
  row(console, "step", milliseconds(r.step_seconds.median),
      fmt::format("{:.2f} .. {:.2f}", 1e3 * r.step_seconds.min, 1e3 * r.step_seconds.max));
  row(console, "  forward", milliseconds(r.forward_seconds), "with the loss");
  row(console, "  backward", milliseconds(r.backward_seconds), "");
  row(console, "  optimizer", milliseconds(r.optimizer_seconds),
      "gradients cleared, their norm, the update");
  row(console, "data", milliseconds(r.data_seconds), "to make a batch, not part of the step");
  if (r.startup_seconds) {
    row(console, "start-up", fmt::format("{:.2f} s", *r.startup_seconds), "to the first step");
  }
}

void print_machine(Console& console, const BenchReport& report) {
  const StepBench& r = report.result;
  row(console, "compute", fmt::format("{:.1f} GFLOP/s", 1e-9 * report.flops_per_second()),
      fmt::format("{} of the {:.1f} measured", percent(report.flops_per_second() / r.peak_flops),
                  1e-9 * r.peak_flops));
  row(console, "memory", fmt::format("{:.1f} GB/s", 1e-9 * report.bytes_per_second()),
      fmt::format("{} of the {:.1f} measured", percent(report.bytes_per_second() / r.bandwidth),
                  1e-9 * r.bandwidth));
  row(console, "peak memory", mebibytes(r.peak_memory_bytes),
      fmt::format("over that before the first step; tensors {}",
                  mebibytes(r.allocator_peak_bytes)));
  row(console, "allocator", thousands(r.system_allocations),
      "blocks from the system in the timed steps");
  row(console, "foreign CPU", share_text(r.foreign_during),
      fmt::format("of all processors during the steps, {} before", share_text(r.foreign_before)));
}

std::string per_second(int64_t amount, double seconds) {
  return amount > 0 && seconds > 0.0
             ? fmt::format("{:.1f}", 1e-9 * static_cast<double>(amount) / seconds)
             : "";
}

}  // namespace

std::vector<std::string> profile_lines(const BenchReport& report) {
  const auto steps = static_cast<double>(report.bench.steps);
  const std::vector<ProfileRow> profile = report.result.profile->rows();
  double all = 0.0;
  for (const ProfileRow& entry : profile) all += entry.seconds;
  std::vector<std::vector<std::string>> rows;
  for (const ProfileRow& entry : profile) {
    rows.push_back({entry.name.empty() ? "(between)" : printable(entry.name).substr(0, 24),
                    entry.pass,
                    entry.calls == 0 ? "" : fmt::format("{}", entry.calls / report.bench.steps),
                    fmt::format("{:.3f}", 1e3 * entry.seconds / steps),
                    fmt::format("{:.1f}", 100.0 * entry.seconds / all),
                    per_second(2 * entry.multiply_adds, entry.seconds),
                    per_second(entry.bytes, entry.seconds)});
  }
  return table({"operation", "pass", ">calls", ">ms", ">% of step", ">GFLOP/s", ">GB/s"}, rows);
}

void print_bench(Console& console, const BenchReport& report) {
  const train::Options& options = report.options;
  const StepBench& r = report.result;
  console.line(console.styled(
      Style::bold, fmt::format("{}, attention {} per {}, batch {}", options.model,
                               printable(options.attention), options.sharing, options.batch)));
  console.line(fmt::format("{} parameters, images {}, {} ({} math), {} thread{}, {}",
                           thousands(r.parameters), report.bench.input.str(), options.precision,
                           options.math, r.threads, r.threads == 1 ? "" : "s", options.optimizer));
  const std::string sizes = train::sizes_of_model(options, report.bench.input);
  if (!sizes.empty()) console.line(sizes);
  console.line("");
  print_time(console, report);
  print_machine(console, report);
  console.line("");
  console.line("flops are nominal: 2 per multiply-add, padding counted, a step three times its");
  console.line("forward pass; bytes are those of the tensors each operation reads and writes");
  if (r.foreign_during.value_or(0.0) > kBusy || r.foreign_before.value_or(0.0) > kBusy) {
    console.line(console.styled(
        Style::bad, fmt::format("machine was busy: {} foreign CPU before, {} during the steps",
                                share_text(r.foreign_before), share_text(r.foreign_during))));
  }
  if (!report.profile) return;
  console.line("");
  for (const std::string& line : profile_lines(report)) console.line(line);
  console.line("");
  console.line("(between): sums of gradients, memory released, whatever is no operation");
}

}  // namespace diagrad::cli
