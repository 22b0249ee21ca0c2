#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "diagrad/core/text.h"
#include "diagrad/train/report/chart.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/report/run_page.h"

namespace diagrad::train {
namespace {

constexpr size_t kPoints = 300;  // of a line over the steps

std::string value_text(double value, bool is_share) {
  return is_share ? exact_percent(value) : fmt::format("{:.4g}", value);
}

/// "Accuracy" for "accuracy".
std::string capitalized(std::string text) {
  // Not std::toupper, which depends on the locale.
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

double epoch_of(const RunFiles& run, int64_t step) {
  const auto per_epoch = std::max<int64_t>(run.state.start.steps_per_epoch, 1);
  return static_cast<double>(step) / static_cast<double>(per_epoch);
}

/// One line over the epochs, of a metric among `values` of each row.
ChartSeries over_epochs(const RunFiles& run, const std::string& name, const char* style,
                        const Metric& metric, MetricValues EpochRow::*values) {
  ChartSeries series{.name = name, .style = style, .has_dots = true};
  for (const EpochRow& row : run.epochs) {
    const double y = value_of(row.*values, metric.name);
    if (!std::isfinite(y)) continue;
    series.value = value_text(y, metric.is_share);
    series.points.push_back({static_cast<double>(row.epoch), y,
                             fmt::format("epoch {}, {}: {}", row.epoch, name, series.value)});
  }
  return series;
}

/// One line over the steps, whose places `place` gives.
template <typename Place, typename Value>
ChartSeries over_steps(const std::vector<StepRow>& steps, const std::string& name,
                       const char* style, Place place, Value value) {
  ChartSeries series{.name = name, .style = style};
  for (const StepRow& row : steps) {
    series.points.push_back({place(row), value(row)});
    if (std::isfinite(value(row))) series.value = value_text(value(row), false);
  }
  return series;
}

/// The pale line behind the epochs: the steps, in stretches that calm it.
template <typename Value>
void add_pale_line(Chart& chart, const RunFiles& run, Value value) {
  constexpr size_t kMost = 80;
  const std::vector<StepRow> rows = in_stretches(run.steps, kMost);
  if (rows.empty()) return;
  const auto place = [&](const StepRow& row) { return epoch_of(run, row.step); };
  chart.series.push_back(over_steps(rows, "", "faint", place, value));
  const size_t length = (run.steps.size() + kMost - 1) / kMost;
  chart.note = length == 1 ? "pale: single steps" : fmt::format("pale: means of {} steps", length);
}

Chart epoch_chart(const RunFiles& run, const std::string& id, const std::string& title) {
  Chart chart{.id = id, .title = title, .x_name = "epoch"};
  if (!run.steps.empty()) {
    chart.x_max = std::max(chart.x_max, epoch_of(run, run.steps.back().step));
  }
  if (!run.epochs.empty()) {
    chart.x_max = std::max(chart.x_max, static_cast<double>(run.epochs.back().epoch));
  }
  if (run.state.phase == RunPhase::diverged) {
    chart.marks.push_back({epoch_of(run, run.state.step), "diverged"});
  }
  return chart;
}

Chart step_chart(const RunFiles& run, const char* id, const char* title) {
  Chart chart{.id = id, .title = title, .x_name = "step"};
  if (!run.steps.empty()) chart.x_max = static_cast<double>(run.steps.back().step);
  return chart;
}

/// The name of the set that was evaluated after each epoch.
std::string eval_name(const RunFiles& run) {
  for (const EpochRow& row : run.epochs) {
    if (!row.eval_set.empty()) return row.eval_set;
  }
  return "test";
}

/// The first epoch with the best value, that of averaged weights where there are some.
int64_t best_epoch(const RunFiles& run, const Metric& metric) {
  double best = std::numeric_limits<double>::quiet_NaN();
  int64_t epoch = 0;
  for (const EpochRow& row : run.epochs) {
    const double value = value_of(row.ema.empty() ? row.eval : row.ema, metric.name);
    if (!metric.is_better(value, best)) continue;
    best = value;
    epoch = row.epoch;
  }
  return epoch;
}

std::string metric_chart(const RunFiles& run, const Metric& metric, size_t number) {
  Chart chart = epoch_chart(run, fmt::format("metric{}", number), capitalized(metric.name));
  chart.percent = metric.is_share;
  chart.may_be_logarithmic = !metric.is_share;
  add_pale_line(chart, run, [&](const StepRow& row) { return value_of(row.metrics, metric.name); });
  chart.series.push_back(over_epochs(run, "training", "train", metric, &EpochRow::train));
  chart.series.push_back(over_epochs(run, eval_name(run), "test", metric, &EpochRow::eval));
  chart.series.push_back(over_epochs(run, "averaged", "averaged", metric, &EpochRow::ema));
  const bool is_primary = metric.name == run.primary().name;
  if (const int64_t epoch = best_epoch(run, metric);
      is_primary && epoch > 0 && run.epochs.size() > 1) {
    chart.marks.push_back({static_cast<double>(epoch), fmt::format("best: epoch {}", epoch)});
  }
  return chart_html(chart);
}

/// Those of run.json; where there is none, the loss alone.
std::vector<Metric> metrics_of(const RunFiles& run) {
  if (!run.state.start.metrics.empty()) return run.state.start.metrics;
  return {run.primary()};
}

std::string lr_chart(const RunFiles& run) {
  Chart chart = step_chart(run, "lr", "Learning rate");
  const auto place = [](const StepRow& row) { return static_cast<double>(row.step); };
  chart.series.push_back(over_steps(in_stretches(run.steps, kPoints), "last", "train", place,
                                    [](const StepRow& row) { return row.lr; }));
  const auto highest =
      std::max_element(run.steps.begin(), run.steps.end(),
                       [](const StepRow& a, const StepRow& b) { return a.lr < b.lr; });
  if (highest != run.steps.end()) chart.note = fmt::format("highest {:.4g}", highest->lr);
  return chart_html(chart);
}

std::string gradient_chart(const RunFiles& run) {
  Chart chart = step_chart(run, "gradient", "Norm of the gradient");
  chart.may_be_logarithmic = true;
  chart.note = "before clipping";
  const auto place = [](const StepRow& row) { return static_cast<double>(row.step); };
  chart.series.push_back(over_steps(in_stretches(run.steps, kPoints), "last", "train", place,
                                    [](const StepRow& row) { return row.grad_norm; }));
  return chart_html(chart);
}

}  // namespace

std::string run_charts_html(const RunFiles& run) {
  if (run.epochs.empty() && run.steps.empty()) return {};
  std::string body = "<div class=\"charts\">\n";
  size_t number = 0;
  for (const Metric& metric : metrics_of(run)) body += metric_chart(run, metric, number++);
  if (!run.steps.empty()) body += lr_chart(run) + gradient_chart(run);
  return html_section("Training", body + "</div>\n");
}

}  // namespace diagrad::train
