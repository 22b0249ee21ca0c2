#pragma once

#include <string>
#include <vector>

#include "diagrad/train/bench/step_bench.h"
#include "diagrad/train/cli/console.h"

namespace diagrad::cli {

/// What `diagrad bench` measured and how it was asked to.
struct BenchReport {
  train::Options options;
  train::StepBenchOptions bench;
  train::StepBench result;
  bool profile = false;  ///< tell of each operation

  double images_per_second(double step_seconds) const {
    return static_cast<double>(options.batch) / step_seconds;
  }
  double flops_per_second() const { return result.step_flops() / result.step_seconds.median; }
  double bytes_per_second() const {
    return static_cast<double>(result.bytes) / result.step_seconds.median;
  }
};

/// For people, in 80 columns.
void print_bench(Console& console, const BenchReport& report);
/// The table of operations; of a report with a profile.
std::vector<std::string> profile_lines(const BenchReport& report);
/// For programs; train/bench/README.md lists the keys.
std::string bench_json(const BenchReport& report);

}  // namespace diagrad::cli
