#include "diagrad/train/cli/runs.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace diagrad::cli {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const Spread& spread) {
  return {{"mean", spread.mean}, {"std", spread.deviation}, {"n", spread.n}};
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

std::string spread_text(const Spread& spread) {
  if (spread.n < 2) return fmt::format("{:.2f} %", 100.0 * spread.mean);
  return fmt::format("{:.2f} % +- {:.2f} (mean and standard deviation, n = {})",
                     100.0 * spread.mean, 100.0 * spread.deviation, spread.n);
}

std::string runs_json(const std::vector<train::TrainResult>& results,
                      const train::Options& options) {
  std::vector<double> last;
  std::vector<double> best;
  ordered_json runs = ordered_json::array();
  for (const train::TrainResult& result : results) {
    train::Options own = options;
    own.seed = result.seed;
    ordered_json run = ordered_json::parse(train::result_json(result, own));
    run["folder"] = result.folder;
    runs.push_back(std::move(run));
    last.push_back(result.last.accuracy);
    best.push_back(result.best);
  }
  const ordered_json all = {
      {"format", 1},
      {"test",
       {{"metric", "accuracy"}, {"last", to_json(spread(last))}, {"best", to_json(spread(best))}}},
      {"runs", std::move(runs)}};
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace diagrad::cli
