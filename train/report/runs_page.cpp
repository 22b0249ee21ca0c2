#include "diagrad/train/report/runs_page.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diagrad/core/file.h"
#include "diagrad/core/file_text.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/text.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/tasks/metric.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

/// The primary metric of the runs: its name, and whether it is shown in percent.
Metric metric_of(const json& test) {
  return {.name = json_text(json_member(test, "metric")),
          .is_share = json_member(test, "is_share") == json(true)};
}

std::string figure(const Metric& metric, double value) {
  return metric.is_share ? exact_percent(value) : short_number(value);
}

/// "95.12 % ± 0.31", or the value alone for one run.
std::string spread_figure(const Metric& metric, const json& spread) {
  const double deviation = json_number(json_member(spread, "std"));
  const std::string mean = figure(metric, json_number(json_member(spread, "mean")));
  if (!std::isfinite(deviation)) return mean;
  return metric.is_share ? fmt::format("{} ± {:.2f}", mean, 100.0 * deviation)
                         : fmt::format("{} ± {:.4f}", mean, deviation);
}

std::string spread_tile(const Metric& metric, const json& spread, const std::string& what) {
  const int64_t n = json_count(spread, "n", INT64_MAX);
  const std::string kind =
      n == 1 ? "one run" : fmt::format("mean and standard deviation, n = {}", n);
  return html_tile(spread_figure(metric, spread), what + "; " + kind);
}

/// How a page of the folder that holds all is addressed from there; seed-N is what `train` made.
std::string link_to(const json& run) {
  const std::string name =
      std::filesystem::path(json_text(json_member(run, "folder"))).filename().string();
  const bool plain =
      name.rfind("seed-", 0) == 0 && name.find_first_not_of("0123456789-", 5) == std::string::npos;
  if (!plain) return escape_html(name);
  return fmt::format("<a href=\"{0}/report.html\">{0}</a>", name);
}

std::string table_row(const Metric& metric, const json& run) {
  const json& test = json_member(run, "test");
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td>{}</td></tr>\n",
      json_count(run, "seed", INT64_MAX), figure(metric, json_number(json_member(test, "last"))),
      figure(metric, json_number(json_member(test, "best"))),
      json_count(test, "best_epoch", INT64_MAX),
      short_number(json_number(json_member(json_member(test, "metrics"), "loss"))),
      json_count(run, "steps", INT64_MAX), duration(json_number(json_member(run, "seconds"))),
      link_to(run));
}

}  // namespace

std::string runs_page(const std::string& runs_json) {
  static const json nothing;
  const json all = parse_json(runs_json);
  const json& runs = json_member(all, "runs");
  const json& first = runs.is_array() && !runs.empty() ? runs[0] : nothing;
  const std::string title =
      fmt::format("{} with {} on {}", shorten(json_text(json_member(first, "model")), 80),
                  shorten(json_text(json_member(first, "attention")), 80),
                  shorten(json_text(json_member(first, "data")), 80));
  const json& test = json_member(all, "test");
  const Metric metric = metric_of(test);
  const bool on_test =
      json_text(json_member(json_member(first, "test"), "best_chosen_on")) != "validation";
  const bool one_batch = json_member(first, "overfit_one_batch") == json(true);
  std::string rows;
  size_t count = 0;
  for (const json& run : runs.is_array() ? runs : nothing) {
    rows += table_row(metric, run);
    ++count;
  }
  const std::string body = fmt::format(
      "<header><p class=\"brand\">diagrad report of several runs</p>\n<h1>{}</h1>\n"
      "<p>{} runs that differ in their seed alone</p></header>\n<div "
      "class=\"tiles\">\n{}{}</div>\n",
      escape_html(title), count,
      spread_tile(metric, json_member(test, "last"),
                  one_batch ? metric.name + " on the batch that was trained on"
                            : "test " + metric.name + " of the weights at the end"),
      one_batch
          ? ""
          : spread_tile(metric, json_member(test, "best"),
                        on_test ? "best epoch, chosen on the test set itself: optimistically "
                                  "biased"
                                : "test " + metric.name + " of the epoch that validation chose"));
  const std::string table = fmt::format(
      "<div class=\"wide\"><table class=\"figures\">\n<tr><th>seed</th><th>at the end</th>"
      "<th>best</th><th>in epoch</th><th>{}</th><th>steps</th><th>time</th><th>report</th>"
      "</tr>\n{}</table></div>\n",
      one_batch ? "loss" : "test loss", rows);
  const std::string heading =
      escape_html(metric.name) + (one_batch ? " by run" : " on the test set, by run");
  return html_page(title, body + html_section(heading, table) +
                              "<footer>Made from runs.json beside this page.</footer>\n");
}

void write_runs_page(const std::string& folder) {
  write_file(folder + "/report.html", runs_page(file_text(folder + "/runs.json")));
}

}  // namespace diagrad::train
