#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace diagrad::train {

/// A figure that a task measures: how it is named, read and shown.
struct Metric {
  std::string name = {};         ///< "accuracy"
  bool higher_is_better = true;  ///< else lower
  bool is_share = false;         ///< lies in [0, 1] and is shown in percent

  /// Whether `a` is better than `b`; a NaN is never better, and a number is better than a NaN.
  bool is_better(double a, double b) const;
};

/// The values of metrics by name, in the order of Task::all_metrics(): "loss" comes first.
using MetricValues = std::vector<std::pair<std::string, double>>;

/// NaN for a name that is not there.
double value_of(const MetricValues& values, const std::string& name);

/// Sums over examples. They merge by addition, so batches, accumulated batches and replicas may be
/// grouped in any way.
struct MetricSums {
  int64_t examples = 0;
  double loss = 0.0;                ///< of the loss of each example
  std::vector<double> values = {};  ///< the task's own; empty stands for zeros

  void add(const MetricSums& other);
  bool operator==(const MetricSums&) const = default;
};

/// "93.4 %" for a share, "0.1234" for others; "-" for what is not finite.
std::string metric_text(const Metric& metric, double value);
/// With two decimals of a percent: "93.42 %".
std::string exact_metric_text(const Metric& metric, double value);

}  // namespace diagrad::train
