#include "diagrad/train/tasks/metric.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"

namespace diagrad::train {

bool Metric::is_better(double a, double b) const {
  if (std::isnan(a)) return false;
  if (std::isnan(b)) return true;
  return higher_is_better ? a > b : a < b;
}

double value_of(const MetricValues& values, const std::string& name) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == values.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

void MetricSums::add(const MetricSums& other) {
  examples += other.examples;
  loss += other.loss;
  if (values.empty()) values.resize(other.values.size());
  DG_ASSERT(other.values.empty() || other.values.size() == values.size(),
            "metric sums of {} and {} values", values.size(), other.values.size());
  for (size_t i = 0; i < other.values.size(); ++i) values[i] += other.values[i];
}

std::string metric_text(const Metric& metric, double value) {
  if (!std::isfinite(value)) return "-";
  return metric.is_share ? percent(value) : fmt::format("{:.4f}", value);
}

std::string exact_metric_text(const Metric& metric, double value) {
  if (!std::isfinite(value)) return "-";
  return metric.is_share ? fmt::format("{:.2f} %", 100.0 * value) : fmt::format("{:.4f}", value);
}

}  // namespace diagrad::train
