#include "diagrad/train/tasks/metric.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace diagrad::train {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST_CASE("a metric says which of two values is better") {
  const Metric accuracy{.name = "accuracy", .is_share = true};
  const Metric loss{.name = "loss", .higher_is_better = false};
  CHECK(accuracy.is_better(0.5, 0.25));
  CHECK_FALSE(accuracy.is_better(0.25, 0.5));
  CHECK(loss.is_better(0.25, 0.5));
  CHECK_FALSE(loss.is_better(0.5, 0.25));
  for (const Metric& metric : {accuracy, loss}) {
    CHECK_FALSE(metric.is_better(0.5, 0.5));
    CHECK(metric.is_better(0.5, kNan));
    CHECK_FALSE(metric.is_better(kNan, 0.5));
    CHECK_FALSE(metric.is_better(kNan, kNan));
  }
  CHECK(loss.is_better(1.0, kInf));
  CHECK_FALSE(loss.is_better(kInf, 1.0));
}

TEST_CASE("the value of a metric is found by its name") {
  const MetricValues values = {{"loss", 0.25}, {"accuracy", 0.5}};
  CHECK(value_of(values, "loss") == 0.25);
  CHECK(value_of(values, "accuracy") == 0.5);
  CHECK(std::isnan(value_of(values, "dice")));
  CHECK(std::isnan(value_of({}, "loss")));
}

TEST_CASE("sums merge in any grouping, and values that are not there are zeros") {
  // Sums of powers of two are exact.
  const MetricSums a{.examples = 3, .loss = 0.5, .values = {1.0, 4.0}};
  const MetricSums b{.examples = 5, .loss = 0.25, .values = {2.0, 8.0}};
  const MetricSums c{.examples = 1, .loss = 2.0};
  const MetricSums whole{.examples = 9, .loss = 2.75, .values = {3.0, 12.0}};
  const auto merged = [](MetricSums first, const MetricSums& second) {
    first.add(second);
    return first;
  };
  CHECK(merged(merged(a, b), c) == whole);
  CHECK(merged(a, merged(b, c)) == whole);
  CHECK(merged(c, merged(b, a)) == whole);
  CHECK(merged(merged({}, a), merged(c, b)) == whole);
  CHECK(merged({}, a) == a);
  CHECK(merged(a, {}) == a);
}

TEST_CASE("values are shown as shares or numbers, and as a dash where they are not finite") {
  const Metric accuracy{.name = "accuracy", .is_share = true};
  const Metric loss{.name = "loss", .higher_is_better = false};
  CHECK(metric_text(accuracy, 0.9342) == "93.4 %");
  CHECK(metric_text(loss, 0.12344) == "0.1234");
  CHECK(exact_metric_text(accuracy, 0.93421) == "93.42 %");
  CHECK(exact_metric_text(loss, 0.12344) == "0.1234");
  for (const Metric& metric : {accuracy, loss}) {
    for (const double value : {kNan, kInf, -kInf}) {
      CHECK(metric_text(metric, value) == "-");
      CHECK(exact_metric_text(metric, value) == "-");
    }
  }
}

}  // namespace
}  // namespace diagrad::train
