#pragma once

#include <string>
#include <vector>

#include "diagrad/train/run/options.h"
#include "diagrad/train/run/trainer.h"

namespace diagrad::cli {

/// Mean and sample standard deviation (n - 1); the latter NaN for one value.
struct Spread {
  double mean = 0.0;
  double deviation = 0.0;
  size_t n = 0;
};
Spread spread(const std::vector<double>& values);

/// "93.42 % +- 0.31 (mean and standard deviation, n = 5)"; one value stands alone.
std::string spread_text(const train::Metric& metric, const Spread& spread);

/// A row per run, mean and standard deviation, and where the files lie.
std::vector<std::string> runs_lines(const std::vector<train::TrainResult>& results,
                                    const train::Options& options, const std::string& folder);

/// result.json and the run's folder: what `train --json` prints.
std::string run_json(const train::TrainResult& result, const train::Options& options);

/// What runs.json holds, for runs that differ in their seed alone: their results and the spread of
/// the primary metric on the test set.
std::string runs_json(const std::vector<train::TrainResult>& results,
                      const train::Options& options);

}  // namespace diagrad::cli
