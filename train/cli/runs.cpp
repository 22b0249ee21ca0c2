#include "diagrad/train/cli/runs.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "diagrad/core/text.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/result.h"

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const Spread& spread) {
  return {{"mean", spread.mean}, {"std", spread.deviation}, {"n", spread.n}};
}

double last_of(const train::TrainResult& result) {
  return result.last.metric(result.primary.name);
}

}  // namespace

Spread spread(const std::vector<double>& values) {
  Spread result{0.0, std::numeric_limits<double>::quiet_NaN(), values.size()};
  const auto n = static_cast<double>(values.size());
  for (const double value : values) result.mean += value / n;
  if (values.size() < 2) return result;
  double squares = 0.0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (n - 1.0));
  return result;
}

std::string spread_text(const train::Metric& metric, const Spread& spread) {
  const std::string mean = train::exact_metric_text(metric, spread.mean);
  if (spread.n < 2) return mean;
  const std::string deviation = metric.is_share ? fmt::format("{:.2f}", 100.0 * spread.deviation)
                                                : fmt::format("{:.4f}", spread.deviation);
  return fmt::format("{} +- {} (mean and standard deviation, n = {})", mean, deviation, spread.n);
}

std::vector<std::string> runs_lines(const std::vector<train::TrainResult>& results,
                                    const train::Options& options, const std::string& folder) {
  const train::Metric metric = results.empty() ? train::Metric{} : results.front().primary;
  std::vector<std::vector<std::string>> rows;
  std::vector<double> last;
  std::vector<double> best;
  for (const train::TrainResult& result : results) {
    last.push_back(last_of(result));
    best.push_back(result.best);
    rows.push_back({fmt::format("{}", result.seed),
                    train::exact_metric_text(metric, last_of(result)),
                    train::exact_metric_text(metric, result.best), thousands(result.best_epoch),
                    fmt::format("{:.4f}", train::value_of(result.last.metrics, "loss")),
                    duration(result.seconds)});
  }
  const std::string loss = options.overfit_one_batch ? ">loss" : ">test loss";
  std::vector<std::string> lines =
      table({">seed", ">" + metric.name, ">best", ">in epoch", loss, ">time"}, rows);
  const bool on_test = results.empty() || results.front().chosen_on == "test";
  lines.emplace_back();
  const std::string figure =
      fmt::format("{:<12} {}", metric.name, spread_text(metric, spread(last)));
  if (options.overfit_one_batch) {
    lines.push_back(figure + " on the batch that each was trained on");
  } else {
    lines.push_back(figure + " on the test set, at the end");
    lines.push_back("best epoch   " + spread_text(metric, spread(best)) +
                    (on_test ? ", chosen on the test set itself" : ", chosen by validation"));
  }
  lines.push_back(fmt::format("report       {}/report.html", printable(folder)));
  lines.push_back(fmt::format("figures      {}/runs.json", printable(folder)));
  return lines;
}

std::string run_json(const train::TrainResult& result, const train::Options& options) {
  ordered_json run = ordered_json::parse(train::result_json(result, options));
  run["folder"] = result.folder;
  return run.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

std::string runs_json(const std::vector<train::TrainResult>& results,
                      const train::Options& options) {
  std::vector<double> last;
  std::vector<double> best;
  ordered_json runs = ordered_json::array();
  for (const train::TrainResult& result : results) {
    train::Options own = options;
    own.seed = result.seed;
    runs.push_back(ordered_json::parse(run_json(result, own)));
    last.push_back(last_of(result));
    best.push_back(result.best);
  }
  const train::Metric metric = results.empty() ? train::Metric{} : results.front().primary;
  const ordered_json all = {{"format", train::kFormat},
                            {"test",
                             {{"metric", metric.name},
                              {"better", metric.higher_is_better ? "higher" : "lower"},
                              {"is_share", metric.is_share},
                              {"last", to_json(spread(last))},
                              {"best", to_json(spread(best))}}},
                            {"runs", std::move(runs)}};
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace diagrad::cli
