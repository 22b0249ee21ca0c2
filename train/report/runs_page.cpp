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

/// A value inside a value; null where there is none.
const json& at(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found != object.end() ? *found : nothing;
}

double number(const json& value) {
  return value.is_number() ? value.get<double>() : NAN;
}

std::string text(const json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}

int64_t whole(const json& value) {
  return count_of(value, INT64_MAX).value_or(0);
}

/// The primary metric of the runs: its name, and whether it is shown in percent.
Metric metric_of(const json& test) {
  return {.name = text(at(test, "metric")), .is_share = at(test, "is_share") == json(true)};
}

std::string figure(const Metric& metric, double value) {
  return metric.is_share ? exact_percent(value) : short_number(value);
}

/// "95.12 % ± 0.31", or the value alone for one run.
std::string spread_figure(const Metric& metric, const json& spread) {
  const double deviation = number(at(spread, "std"));
  const std::string mean = figure(metric, number(at(spread, "mean")));
  if (!std::isfinite(deviation)) return mean;
  return metric.is_share ? fmt::format("{} ± {:.2f}", mean, 100.0 * deviation)
                         : fmt::format("{} ± {:.4f}", mean, deviation);
}

std::string spread_tile(const Metric& metric, const json& spread, const std::string& what) {
  const int64_t n = whole(at(spread, "n"));
  const std::string kind =
      n == 1 ? "one run" : fmt::format("mean and standard deviation, n = {}", n);
  return html_tile(spread_figure(metric, spread), what + "; " + kind);
}

/// How a page of the folder that holds all is addressed from there; seed-N is what `train` made.
std::string link_to(const json& run) {
  const std::string name = std::filesystem::path(text(at(run, "folder"))).filename().string();
  const bool plain =
      name.rfind("seed-", 0) == 0 && name.find_first_not_of("0123456789-", 5) == std::string::npos;
  if (!plain) return escape_html(name);
  return fmt::format("<a href=\"{0}/report.html\">{0}</a>", name);
}

std::string table_row(const Metric& metric, const json& run) {
  const json& test = at(run, "test");
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td>{}</td></tr>\n",
      whole(at(run, "seed")), figure(metric, number(at(test, "last"))),
      figure(metric, number(at(test, "best"))), whole(at(test, "best_epoch")),
      short_number(number(at(at(test, "metrics"), "loss"))), whole(at(run, "steps")),
      duration(number(at(run, "seconds"))), link_to(run));
}

}  // namespace

std::string runs_page(const std::string& runs_json) {
  static const json nothing;
  const json all = parse_json(runs_json);
  const json& runs = at(all, "runs");
  const json& first = runs.is_array() && !runs.empty() ? runs[0] : nothing;
  const std::string title =
      fmt::format("{} with {} on {}", shorten(text(at(first, "model")), 80),
                  shorten(text(at(first, "attention")), 80), shorten(text(at(first, "data")), 80));
  const json& test = at(all, "test");
  const Metric metric = metric_of(test);
  const bool on_test = text(at(at(first, "test"), "best_chosen_on")) != "validation";
  const bool one_batch = at(first, "overfit_one_batch") == json(true);
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
      spread_tile(metric, at(test, "last"),
                  one_batch ? metric.name + " on the batch that was trained on"
                            : "test " + metric.name + " of the weights at the end"),
      one_batch
          ? ""
          : spread_tile(metric, at(test, "best"),
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
