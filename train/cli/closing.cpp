#include "diagrad/train/cli/closing.h"

#include <fmt/format.h>

#include "diagrad/core/text.h"
#include "diagrad/train/report/run_command.h"

namespace diagrad::cli {
namespace {

std::vector<std::string> result_lines(const train::TrainResult& result,
                                      const train::Options& options) {
  const train::Metric& metric = result.primary;
  const double value = result.last.metric(metric.name);
  const std::string last = train::exact_metric_text(metric, value);
  const std::string best = train::exact_metric_text(metric, result.best);
  const std::string images = thousands(result.last.examples);
  if (options.overfit_one_batch) {
    return {fmt::format("{:<12} {} on the {} images of the batch that was trained on", metric.name,
                        last, images)};
  }
  const std::string set = images + " test images";
  const std::string kind = result.weights == "ema" ? "averaged weights" : "weights";
  if (result.chosen_on == "validation" && result.best_epoch > 0) {
    return {fmt::format("{:<12} {} on the {}, {} of epoch {}, which the validation set chose",
                        metric.name, best, set, kind, result.best_epoch),
            fmt::format("at the end   {}", last)};
  }
  std::vector<std::string> lines = {fmt::format("{:<12} {} on the {}, {} after step {}",
                                                metric.name, last, set, kind,
                                                thousands(result.steps))};
  if (result.best_epoch > 0) {
    lines.push_back(fmt::format("best epoch   {} after epoch {}, chosen on the test set itself",
                                best, result.best_epoch));
  }
  return lines;
}

}  // namespace

std::vector<std::string> closing_lines(const train::TrainResult& result,
                                       const train::Options& options) {
  const std::string folder = printable(result.folder);
  std::vector<std::string> lines = {""};
  if (result.signal != 0) {
    lines.push_back(fmt::format("stopped by signal {}, saved at step {}", result.signal,
                                thousands(result.steps)));
  } else {
    for (std::string& line : result_lines(result, options)) lines.push_back(std::move(line));
  }
  lines.push_back(fmt::format("report       {}/report.html", folder));
  lines.push_back(fmt::format("checkpoints  {}/checkpoints", folder));
  if (!result.stopped.empty()) {
    lines.push_back(
        fmt::format("go on        {}", train::resume_command(result.folder, result.stopped)));
  }
  if (result.signal == 0) {
    lines.push_back(fmt::format("next         diagrad eval {}", shell_path(result.folder)));
  }
  return lines;
}

}  // namespace diagrad::cli
