#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagrad/core/text.h"
#include "diagrad/train/report/chart.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/report/run_page.h"

namespace diagrad::train {
namespace {

constexpr size_t kPoints = 300;  // of a line over the steps

std::string value_text(double value, bool share) {
  return share ? exact_percent(value) : fmt::format("{:.4g}", value);
}

double epoch_of(const RunFiles& run, int64_t step) {
  const auto per_epoch = std::max<int64_t>(run.state.start.steps_per_epoch, 1);
  return static_cast<double>(step) / static_cast<double>(per_epoch);
}

/// One line over the epochs; `value` picks what it shows.
template <typename Value>
ChartSeries over_epochs(const RunFiles& run, const std::string& name, const char* style, bool share,
                        Value value) {
  ChartSeries series{.name = name, .style = style, .has_dots = true};
  for (const EpochRow& row : run.epochs) {
    const double y = value(row);
    if (!std::isfinite(y)) continue;
    series.value = value_text(y, share);
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

Chart epoch_chart(const RunFiles& run, const char* id, const char* title) {
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

std::string loss_chart(const RunFiles& run) {
  Chart chart = epoch_chart(run, "loss", "Loss");
  chart.may_be_logarithmic = true;
  add_pale_line(chart, run, [](const StepRow& row) { return row.loss; });
  chart.series.push_back(over_epochs(run, "training", "train", false,
                                     [](const EpochRow& row) { return row.train_loss; }));
  chart.series.push_back(over_epochs(run, eval_name(run), "test", false,
                                     [](const EpochRow& row) { return row.eval_loss; }));
  chart.series.push_back(over_epochs(run, "averaged", "averaged", false,
                                     [](const EpochRow& row) { return row.ema_loss; }));
  return chart_html(chart);
}

/// The first epoch with the highest accuracy, that of averaged weights where there are some.
int64_t best_epoch(const RunFiles& run) {
  double best = -1.0;
  int64_t epoch = 0;
  for (const EpochRow& row : run.epochs) {
    const double accuracy = row.has_ema ? row.ema_accuracy : row.eval_accuracy;
    if (!(accuracy > best)) continue;
    best = accuracy;
    epoch = row.epoch;
  }
  return epoch;
}

std::string accuracy_chart(const RunFiles& run) {
  Chart chart = epoch_chart(run, "accuracy", "Accuracy");
  chart.percent = true;
  add_pale_line(chart, run, [](const StepRow& row) { return row.accuracy; });
  chart.series.push_back(over_epochs(run, "training", "train", true,
                                     [](const EpochRow& row) { return row.train_accuracy; }));
  chart.series.push_back(over_epochs(run, eval_name(run), "test", true,
                                     [](const EpochRow& row) { return row.eval_accuracy; }));
  chart.series.push_back(over_epochs(run, "averaged", "averaged", true,
                                     [](const EpochRow& row) { return row.ema_accuracy; }));
  if (const int64_t epoch = best_epoch(run); epoch > 0 && run.epochs.size() > 1) {
    chart.marks.push_back({static_cast<double>(epoch), fmt::format("best: epoch {}", epoch)});
  }
  return chart_html(chart);
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
  std::string body = "<div class=\"charts\">\n" + loss_chart(run) + accuracy_chart(run);
  if (!run.steps.empty()) body += lr_chart(run) + gradient_chart(run);
  return html_section("Training", body + "</div>\n");
}

}  // namespace diagrad::train
