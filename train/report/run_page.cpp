#include "diagrad/train/report/run_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "diagrad/core/file.h"
#include "diagrad/core/text.h"
#include "diagrad/train/report/blocks_html.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/report/run_command.h"

namespace diagrad::train {
namespace {

/// A command whose lines are broken between its options only.
std::string command(const std::string& text) {
  std::string html = "<code><span>";
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = rest.find(" --");
    html += escape_html(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (!rest.empty()) html += "</span> <span>";
  }
  return html + "</span></code>";
}

/// "1 epoch", "5 epochs"
std::string counted(int64_t count, const char* word) {
  return fmt::format("{} {}{}", thousands(count), word, count == 1 ? "" : "s");
}

const EpochRow* last_evaluated(const RunFiles& run) {
  for (auto row = run.epochs.rbegin(); row != run.epochs.rend(); ++row) {
    if (!row->eval.empty()) return &*row;
  }
  return nullptr;
}

int64_t epochs_done(const RunFiles& run) {
  return run.epochs.empty() ? 0 : run.epochs.back().epoch;
}

int64_t steps_done(const RunFiles& run) {
  const int64_t logged = run.steps.empty() ? 0 : run.steps.back().step;
  return std::max(logged, run.state.step);
}

/// "3 of 15", or "3" where the whole is not known.
std::string part_of(int64_t done, int64_t all) {
  return all > 0 ? fmt::format("{} of {}", thousands(done), thousands(all)) : thousands(done);
}

std::string phase_word(const RunFiles& run) {
  switch (run.state.phase) {
    case RunPhase::finished:
      return "finished";
    case RunPhase::stopped:
      return "stopped early";
    case RunPhase::diverged:
      return "diverged";
    case RunPhase::failed:
      return "failed";
    default:
      return "not finished";
  }
}

bool ended_badly(const RunFiles& run) {
  return run.state.phase == RunPhase::diverged || run.state.phase == RunPhase::failed;
}

/// What there is to say of a run that did not reach its last epoch. HTML.
std::string ending(const RunFiles& run) {
  const std::string place =
      fmt::format("step {}, epoch {}", part_of(steps_done(run), run.state.start.steps),
                  part_of(epochs_done(run), run.state.start.epochs));
  const std::string resume =
      "<p>Go on with " + command(resume_command(run.folder, run.state.reason)) + "</p>";
  std::string words;
  switch (run.state.phase) {
    case RunPhase::finished:
      return {};
    case RunPhase::stopped:
      words = fmt::format("<p>Stopped by {} and saved at {}.</p>", escape_html(run.state.reason),
                          place) +
              resume;
      break;
    case RunPhase::running:
      words = fmt::format(
                  "<p>Written while the run was under way, at {}. If nothing runs any more, it was "
                  "killed.</p>",
                  place) +
              resume;
      break;
    default:
      words = fmt::format("<p>{}</p>", escape_html(run.state.reason));
  }
  return fmt::format("<div class=\"ending{}\">{}</div>\n", ended_badly(run) ? " bad" : "", words);
}

std::string images_text(int64_t count) {
  return count > 0 ? " of " + counted(count, "image") : "";
}

/// How far chance alone moves a share of so many images.
std::string error_text(const Metric& metric, double value, int64_t images) {
  if (!metric.is_share || images <= 0 || !std::isfinite(value)) return {};
  const double error = std::sqrt(value * (1.0 - value) / static_cast<double>(images));
  return fmt::format("; standard error ± {:.1f} points", 100.0 * error);
}

/// One batch was trained and tested on: no figure is of a test set.
bool is_one_batch(const RunFiles& run) {
  return run.option("overfit-one-batch") == "true";
}

std::string tested_set(const RunFiles& run) {
  return is_one_batch(run) ? "batch that was trained on" : "test set";
}

std::string metric_figure(const Metric& metric, double value) {
  return metric.is_share ? exact_percent(value) : short_number(value);
}

/// The large figure, and beneath it what it is of.
struct Headline {
  double value = NAN;
  std::string words = "nothing has been evaluated yet";
};

Headline headline(const RunFiles& run) {
  const Metric& metric = run.primary();
  if (run.result) {
    const TrainResult& result = *run.result;
    const double last = result.last.metric(metric.name);
    if (is_one_batch(run)) {
      return {last, metric.name + " on the one batch that was trained on" +
                        images_text(result.last.examples)};
    }
    const std::string set = metric.name + " on the test set" + images_text(result.last.examples);
    if (result.chosen_on == "validation" && result.best_epoch > 0) {
      return {
          result.best,
          fmt::format("{}, with the weights of epoch {}, which the validation set chose{}", set,
                      result.best_epoch, error_text(metric, result.best, result.last.examples))};
    }
    return {last, fmt::format("{}, with the {}weights at the end{}", set,
                              result.weights == "ema" ? "averaged " : "",
                              error_text(metric, last, result.last.examples))};
  }
  const EpochRow* row = last_evaluated(run);
  if (row == nullptr) return {};
  return {value_of(row->ema.empty() ? row->eval : row->ema, metric.name),
          fmt::format("{} on the {} set{} after epoch {}{}", metric.name, row->eval_set,
                      images_text(run.state.start.eval_images),
                      part_of(row->epoch, run.state.start.epochs),
                      row->ema.empty() ? "" : ", averaged weights")};
}

/// A tile for each metric of the weights at the end but the one of the headline.
std::string metric_tiles(const RunFiles& run, const TrainResult& result) {
  std::string boxes;
  for (const auto& [name, value] : result.last.metrics) {
    if (name == run.primary().name) continue;
    Metric metric{.name = name};
    for (const Metric& known : run.state.start.metrics) {
      if (known.name == name) metric = known;
    }
    boxes += html_tile(metric_figure(metric, value),
                       fmt::format("{} on the {}, weights at the end", name, tested_set(run)));
  }
  return boxes;
}

std::string tiles(const RunFiles& run) {
  std::string boxes;
  double seconds = run.steps.empty() ? NAN : run.steps.back().seconds;
  double rate = run.epochs.empty() ? NAN : run.epochs.back().images_per_second;
  if (run.result) {
    const TrainResult& result = *run.result;
    const bool on_test = result.chosen_on != "validation";
    const double last = value_of(result.last.metrics, run.primary().name);
    if (!is_one_batch(run) && result.best_epoch > 0 && on_test) {
      boxes += html_tile(metric_figure(run.primary(), result.best),
                         fmt::format("best, epoch {}: chosen on the test set itself, so it is "
                                     "optimistically biased",
                                     result.best_epoch));
    } else if (!is_one_batch(run) && !on_test) {
      boxes += html_tile(metric_figure(run.primary(), last), "test set, weights at the end");
    }
    boxes += metric_tiles(run, result);
    seconds = result.seconds;
    if (result.images_per_second > 0.0) rate = result.images_per_second;
  }
  const int64_t parameters = run.result ? run.result->parameters : run.state.start.parameters;
  if (parameters > 0) {
    std::string words = "parameters, shared ones once";
    const int64_t frozen = run.state.start.frozen;
    if (frozen > 0) words += fmt::format("; {} of them frozen", thousands(frozen));
    boxes += html_tile(thousands(parameters), words);
  }
  if (std::isfinite(seconds)) {
    boxes +=
        html_tile(duration(seconds), fmt::format("for {}, {}", counted(epochs_done(run), "epoch"),
                                                 counted(steps_done(run), "step")));
  }
  if (std::isfinite(rate)) {
    boxes += html_tile(rate < 1000.0 ? diagrad::rate(rate) : thousands(std::llround(rate)),
                       "training images per second");
  }
  return boxes.empty() ? "" : "<div class=\"tiles\">\n" + boxes + "</div>\n";
}

std::string row(const std::string& name, const std::string& html) {
  return fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_html(name), html);
}

std::string what_was_run(const RunFiles& run) {
  const auto option = [&](const char* name) { return run.option(name); };
  const auto plain = [](const std::string& name, const std::string& text) {
    return text.empty() ? "" : row(name, escape_html(text));
  };
  const TrainStart& start = run.state.start;
  std::string model = option("model");
  if (!option("model-opt").empty()) model += " (" + option("model-opt") + ")";
  std::string data = option("data");
  if (start.train_images > 0 && is_one_batch(run)) {
    data += fmt::format(": one batch of {}", counted(start.train_images, "image"));
  } else if (start.train_images > 0) {
    data += fmt::format(": {} training images", thousands(start.train_images));
    if (start.eval_set == "validation") {
      data += fmt::format(", {} for validation", thousands(start.eval_images));
    }
    data += fmt::format(", {} test", thousands(run.state.test_images));
    if (!run.state.classes.empty()) data += fmt::format(", {} classes", run.state.classes.size());
  }
  std::string optimizer = option("optimizer");
  if (!option("momentum").empty()) {
    optimizer += fmt::format(", momentum {}", option("momentum"));
  }
  optimizer += fmt::format(", weight decay {}", option("weight-decay"));
  std::string rows = plain("task", option("task")) + plain("model", model) +
                     plain("model sizes", start.model_sizes);
  if (!start.init.text.empty()) {
    rows += plain("first weights", fmt::format("{}: {}", option("init"), start.init.text));
  }
  if (start.frozen > 0) {
    rows += plain("frozen", fmt::format("{}: {} of {} parameters", option("freeze"),
                                        thousands(start.frozen), thousands(start.parameters)));
  }
  rows += plain("attention", option("attention"));
  if (option("attention") != "none") rows += plain("shared by", run.state.sharing);
  rows += plain("data", data);
  for (const DataChange& change : start.data_changes) {
    rows += plain("other data",
                  fmt::format("since step {}: {}", thousands(change.step + 1), change.text));
  }
  rows += plain("augmentation", option("augment"));
  rows += plain("optimizer", optimizer);
  rows += plain("learning rate", fmt::format("{}, schedule {}", option("lr"), option("schedule")));
  rows +=
      plain("length", fmt::format("{} epochs, batches of {}", option("epochs"), option("batch")));
  rows += plain("seed", option("seed"));
  rows += row("the same run again", command(repeat_command(run.config)));
  return html_section("What was run", "<table>\n" + rows + "</table>\n");
}

std::string evaluation(const RunFiles& run) {
  const std::string body = blocks_html(run.shown.blocks);
  if (body.empty()) return {};
  const std::string& of = run.shown.of;
  return html_section(of.empty() ? "Evaluation" : "Evaluation on the " + of, body);
}

/// The names of a row's values, for the head of a table.
void add_headings(std::string& head, const std::string& set, const MetricValues& values) {
  for (const auto& value : values) {
    head += "<th>" + escape_html(set + " " + value.first) + "</th>";
  }
}

void add_cells(std::string& html, const RunFiles& run, const MetricValues& columns,
               const MetricValues& values) {
  for (const auto& column : columns) {
    Metric metric{.name = column.first};
    for (const Metric& known : run.state.start.metrics) {
      if (known.name == column.first) metric = known;
    }
    html += "<td>" + metric_figure(metric, value_of(values, column.first)) + "</td>";
  }
}

std::string epoch_table(const RunFiles& run) {
  if (run.epochs.empty()) return {};
  const EpochRow* evaluated = last_evaluated(run);
  const EpochRow& columns = evaluated == nullptr ? run.epochs.front() : *evaluated;
  std::string head = "<tr><th>epoch</th><th>step</th><th>learning rate</th>";
  add_headings(head, "training", columns.train);
  add_headings(head, columns.eval_set, columns.eval);
  add_headings(head, "averaged", columns.ema);
  head += "<th>images/s</th><th>time</th></tr>\n";
  std::string rows;
  for (const EpochRow& r : run.epochs) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td>", thousands(r.epoch),
                        thousands(r.step), short_number(r.lr));
    add_cells(rows, run, columns.train, r.train);
    add_cells(rows, run, columns.eval, r.eval);
    add_cells(rows, run, columns.ema, r.ema);
    rows += fmt::format("<td>{}</td><td>{}</td></tr>\n", rate(r.images_per_second),
                        duration(r.seconds));
  }
  return "<details><summary>All epochs as a table</summary>\n<div class=\"wide\"><table "
         "class=\"figures\">\n" +
         head + rows + "</table></div></details>\n";
}

std::string option_table(const RunFiles& run) {
  std::string rows;
  std::string group;
  for (const ConfigLine& line : run.config) {
    if (line.group != group) {
      group = line.group;
      rows += "<tr class=\"group\"><th colspan=\"2\">" + escape_html(group) + "</th></tr>\n";
    }
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td{}>{}</td></tr>\n", escape_html(line.name),
                        line.is_default ? "" : " class=\"changed\"", escape_html(line.value));
  }
  return "<details><summary>All options, those that are not the default in bold</summary>\n"
         "<table>\n" +
         rows + "</table></details>\n";
}

std::string undecayed_list(const RunFiles& run) {
  const std::vector<std::string>& names = run.state.start.undecayed;
  if (names.empty()) return {};
  return fmt::format("<details><summary>{} without weight decay</summary>\n<p>{}</p></details>\n",
                     counted(static_cast<int64_t>(names.size()), "parameter"),
                     escape_html(fmt::format("{}", fmt::join(names, ", "))));
}

std::string environment(const RunFiles& run) {
  if (run.environment.empty()) return {};
  std::string rows;
  for (const auto& entry : run.environment) {
    std::string name = entry.first;
    std::replace(name.begin(), name.end(), '_', ' ');
    rows += row(name, escape_html(entry.second));
  }
  return html_section("Environment", "<table>\n" + rows + "</table>\n");
}

}  // namespace

std::string run_page(const RunFiles& run) {
  const std::string title =
      fmt::format("{} with {} on {}", shorten(run.option("model"), 80),
                  shorten(run.option("attention"), 80), shorten(run.option("data"), 80));
  const Headline result = headline(run);
  std::string body = fmt::format(
      "<header><p class=\"brand\">diagrad run report</p>\n<h1>{}</h1>\n"
      "<p><span class=\"phase {}\">{}</span> seed {}, run folder <code>{}</code></p></header>\n",
      escape_html(title),
      run.state.phase == RunPhase::finished ? "good"
      : ended_badly(run)                    ? "bad"
                                            : "odd",
      phase_word(run), escape_html(run.option("seed")), escape_html(run.folder));
  body += ending(run);
  body += fmt::format("<div class=\"headline\"><b>{}</b><span>{}</span></div>\n",
                      metric_figure(run.primary(), result.value), escape_html(result.words));
  body += tiles(run) + run_charts_html(run) + evaluation(run);
  body += "<div class=\"two\">\n" + what_was_run(run) + environment(run) + "</div>\n";
  body += html_section("In detail", epoch_table(run) + option_table(run) + undecayed_list(run));
  body +=
      "<footer>Made from the files beside this page: run.json, result.json, blocks.json, "
      "metrics.csv, events.jsonl, config.toml, env.json.</footer>\n";
  return html_page(title, body);
}

void write_run_page(const std::string& folder) {
  write_file(folder + "/report.html", run_page(read_run_files(folder)));
}

}  // namespace diagrad::train
