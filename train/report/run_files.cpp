#include "diagrad/train/report/run_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "diagrad/core/file_text.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/text.h"
#include "diagrad/core/toml.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/run/result.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMostCount = int64_t{1} << 53;
constexpr size_t kMostMetrics = 32;  // each has a chart
constexpr int64_t kMostLogBytes = int64_t{1} << 28;
constexpr std::array<const char*, 5> kPhases = {"running", "finished", "stopped", "diverged",
                                                "failed"};

/// The lines of a text that have an end: the last one of a process that died may have none.
std::vector<std::string_view> whole_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t comma = line.find(','); comma != std::string_view::npos; comma = line.find(',')) {
    fields.push_back(line.substr(0, comma));
    line.remove_prefix(comma + 1);
  }
  fields.push_back(line);
  return fields;
}

/// NaN for a text that is no number.
double number(std::string_view text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  return problem == std::errc() && stop == end ? value : kNone;
}

double number(const json& object, const char* key) {
  return json_number(json_member(object, key));
}

/// A count; 0 for what is none.
int64_t whole(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  const bool good = problem == std::errc() && stop == end && value >= 0 && value <= kMostCount;
  return good ? value : 0;
}

std::string text(const json& object, const char* key) {
  return json_text(json_member(object, key));
}

/// Names of classes: they stand in every cell of the confusion matrix, so they must stay short.
std::vector<std::string> names(const json& object, const char* key) {
  constexpr size_t kLongest = 100;
  std::vector<std::string> all;
  if (!object.is_object() || !object.contains(key) || !object[key].is_array()) return all;
  for (const json& item : object[key]) {
    all.push_back(item.is_string() ? shorten(item.get_ref<const std::string&>(), kLongest) : "?");
  }
  return all;
}

Metric metric_of(const json& object) {
  return {.name = text(object, "name"),
          .higher_is_better = text(object, "better") != "lower",
          .is_share = object.is_object() && object.contains("is_share") &&
                      object["is_share"] == json(true)};
}

/// The task's metrics, and which of them is the primary one.
void read_metrics(const json& object, TrainStart& start) {
  start.primary = {.name = "loss", .higher_is_better = false};
  const bool has = object.is_object() && object.contains("metrics") && object["metrics"].is_array();
  for (const json& item : has ? object["metrics"] : json::array()) {
    if (start.metrics.size() == kMostMetrics) break;
    start.metrics.push_back(metric_of(item));
    if (start.metrics.back().name == text(object, "metric")) start.primary = start.metrics.back();
  }
}

RunState read_state(const std::string& path) {
  const json object = file_json(path);
  if (object.is_object() && object.contains("format")) {
    try {
      check_format(object["format"].dump());
    } catch (const Error& error) {
      fail(ErrorKind::checkpoint, "{}: {}", path, error.what());
    }
  }
  RunState state;
  const std::string phase = text(object, "phase");
  const auto found = std::find(kPhases.begin(), kPhases.end(), phase);
  if (found != kPhases.end()) state.phase = static_cast<RunPhase>(found - kPhases.begin());
  state.reason = text(object, "reason");
  state.epoch = json_count(object, "epoch");
  state.step = json_count(object, "step");
  state.sharing = text(object, "sharing");
  state.classes = names(object, "classes");
  state.test_images = json_count(object, "test_images");
  state.start.parameters = json_count(object, "parameters");
  state.start.frozen = json_count(object, "frozen_parameters");
  state.start.model_sizes = text(object, "model_sizes");
  state.start.undecayed = names(object, "undecayed");
  state.start.init = {text(object, "init_hash"), text(object, "init")};
  state.start.epochs = json_count(object, "epochs");
  state.start.steps = json_count(object, "steps");
  state.start.steps_per_epoch = json_count(object, "steps_per_epoch");
  state.start.train_images = json_count(object, "train_images");
  state.start.eval_images = json_count(object, "eval_images");
  state.start.eval_set = text(object, "eval_set");
  state.start.resumed_at = json_count(object, "resumed_at");
  state.start.data.hash = text(object, "data_hash");
  for (const json& change : json_list(object, "data_changes")) {
    state.start.data_changes.push_back({json_count(change, "step"), text(change, "text")});
  }
  read_metrics(object, state.start);
  return state;
}

/// Which value of a row a column holds, by its heading: "test_ema/accuracy".
MetricValues* values_of(EpochRow& row, std::string_view prefix) {
  if (prefix == "train") return &row.train;
  const bool averaged = prefix.size() > 4 && prefix.substr(prefix.size() - 4) == "_ema";
  row.eval_set = std::string(averaged ? prefix.substr(0, prefix.size() - 4) : prefix);
  return averaged ? &row.ema : &row.eval;
}

EpochRow epoch_row(const std::vector<std::string_view>& headings,
                   const std::vector<std::string_view>& fields) {
  EpochRow row;
  for (size_t i = 0; i < std::min(headings.size(), fields.size()); ++i) {
    const std::string_view heading = headings[i];
    const size_t slash = heading.find('/');
    if (slash != std::string_view::npos) {
      MetricValues* const values = values_of(row, heading.substr(0, slash));
      if (!fields[i].empty()) {
        values->emplace_back(std::string(heading.substr(slash + 1)), number(fields[i]));
      }
    } else if (heading == "epoch") {
      row.epoch = whole(fields[i]);
    } else if (heading == "step") {
      row.step = whole(fields[i]);
    } else if (heading == "lr") {
      row.lr = number(fields[i]);
    } else if (heading == "seconds") {
      row.seconds = number(fields[i]);
    } else if (heading == "images_per_second") {
      row.images_per_second = number(fields[i]);
    }
  }
  return row;
}

std::vector<EpochRow> read_epochs(const std::string& path) {
  std::vector<EpochRow> rows;
  const std::string contents = file_text(path, kMostLogBytes);
  std::vector<std::string_view> headings;
  for (const std::string_view line : whole_lines(contents)) {
    const std::vector<std::string_view> fields = split(plain_line(line));
    if (headings.empty()) {
      headings = fields;
      continue;
    }
    if (fields.size() < headings.size()) continue;
    EpochRow row = epoch_row(headings, fields);
    if (row.epoch > 0) rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<StepRow> read_steps(const std::string& path) {
  constexpr std::string_view kPrefix = "train/";
  std::vector<StepRow> steps;
  const std::string contents = file_text(path, kMostLogBytes);
  for (const std::string_view line : whole_lines(contents)) {
    const json row = parse_json(line);
    if (json_count(row, "step") == 0) continue;
    StepRow step;
    step.step = json_count(row, "step");
    for (const auto& item : row.items()) {
      if (item.key().rfind(kPrefix, 0) != 0) continue;
      step.metrics.emplace_back(item.key().substr(kPrefix.size()), number(row, item.key().c_str()));
    }
    step.lr = number(row, "lr");
    step.grad_norm = number(row, "grad_norm");
    step.seconds = number(row, "seconds");
    steps.push_back(std::move(step));
  }
  return steps;
}

/// The mean of steps [first, last), at the last one.
StepRow mean(const std::vector<StepRow>& steps, size_t first, size_t last) {
  StepRow row = steps[last - 1];
  const auto count = static_cast<double>(last - first);
  row.grad_norm = 0.0;
  for (auto& metric : row.metrics) metric.second = 0.0;
  for (size_t i = first; i < last; ++i) {
    for (auto& metric : row.metrics) {
      metric.second += value_of(steps[i].metrics, metric.first) / count;
    }
    row.grad_norm += steps[i].grad_norm / count;
  }
  return row;
}

ConfigLine config_line(const Setting& setting) {
  ConfigLine line;
  line.name = setting.name;
  line.value = fmt::format("{}", fmt::join(setting.values, ","));
  const OptionInfo* info = find_option(setting.name);
  if (info != nullptr) line.group = info->group;
  return line;
}

/// The options of a config; none where it is no config.
std::vector<ConfigLine> read_config(const std::string& path) {
  std::vector<ConfigLine> lines;
  try {
    for (const Setting& setting : read_toml(path)) lines.push_back(config_line(setting));
  } catch (const Error&) {
    return {};
  }
  Options defaults;
  defaults.momentum = find_optimizer(defaults.optimizer).momentum;
  const auto usual = parse_toml(to_toml(defaults), "defaults");
  for (ConfigLine& line : lines) {
    line.is_default = std::any_of(usual.begin(), usual.end(), [&](const Setting& setting) {
      const ConfigLine other = config_line(setting);
      return other.name == line.name && other.value == line.value;
    });
  }
  return lines;
}

/// What a reader looks for first; the rest follows by name.
constexpr std::array<std::string_view, 8> kFirstOfEnvironment = {
    "version", "commit", "compiler", "build_type", "cpu", "instruction_set", "cores", "threads"};

void add_environment(std::vector<std::pair<std::string, std::string>>& rows, const json& object,
                     const std::string& prefix) {
  for (const auto& item : object.items()) {
    const json& value = item.value();
    if (value.is_object() && prefix.empty()) {
      add_environment(rows, value, item.key() + " ");
      continue;
    }
    const std::string shown = value.is_string()
                                  ? value.get<std::string>()
                                  : value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (!shown.empty()) rows.emplace_back(prefix + item.key(), shown);
  }
}

std::ptrdiff_t rank(std::string_view name) {
  return std::find(kFirstOfEnvironment.begin(), kFirstOfEnvironment.end(), name) -
         kFirstOfEnvironment.begin();
}

}  // namespace

std::string run_json(const RunState& state) {
  nlohmann::ordered_json metrics = nlohmann::ordered_json::array();
  for (const Metric& metric : state.start.metrics) {
    metrics.push_back({{"name", metric.name},
                       {"better", metric.higher_is_better ? "higher" : "lower"},
                       {"is_share", metric.is_share}});
  }
  nlohmann::ordered_json changes = nlohmann::ordered_json::array();
  for (const DataChange& change : state.start.data_changes) {
    changes.push_back({{"step", change.step}, {"text", change.text}});
  }
  const nlohmann::ordered_json object = {{"format", kFormat},
                                         {"phase", kPhases[static_cast<size_t>(state.phase)]},
                                         {"reason", state.reason},
                                         {"epoch", state.epoch},
                                         {"step", state.step},
                                         {"epochs", state.start.epochs},
                                         {"steps", state.start.steps},
                                         {"steps_per_epoch", state.start.steps_per_epoch},
                                         {"resumed_at", state.start.resumed_at},
                                         {"parameters", state.start.parameters},
                                         {"frozen_parameters", state.start.frozen},
                                         {"model_sizes", state.start.model_sizes},
                                         {"undecayed", state.start.undecayed},
                                         {"init", state.start.init.text},
                                         {"init_hash", state.start.init.hash},
                                         {"sharing", state.sharing},
                                         {"train_images", state.start.train_images},
                                         {"eval_set", state.start.eval_set},
                                         {"eval_images", state.start.eval_images},
                                         {"test_images", state.test_images},
                                         {"data_hash", state.start.data.hash},
                                         {"data_changes", changes},
                                         {"metric", state.start.primary.name},
                                         {"metrics", metrics},
                                         {"classes", state.classes}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

RunFiles read_run_files(const std::string& folder) {
  RunFiles run;
  run.folder = folder;
  run.state = read_state(folder + "/run.json");
  run.config = read_config(folder + "/config.toml");
  run.epochs = read_epochs(folder + "/metrics.csv");
  run.steps = read_steps(folder + "/events.jsonl");
  run.result = read_result(folder + "/result.json");
  run.shown = read_blocks(folder + "/blocks.json");
  const json environment = file_json(folder + "/env.json");
  if (environment.is_object()) add_environment(run.environment, environment, "");
  std::stable_sort(run.environment.begin(), run.environment.end(),
                   [](const auto& a, const auto& b) { return rank(a.first) < rank(b.first); });
  // run.json may be missing.
  TrainStart& start = run.state.start;
  if (start.steps_per_epoch == 0 && !run.epochs.empty()) {
    start.steps_per_epoch = run.epochs.front().step / run.epochs.front().epoch;
  }
  if (run.result && start.metrics.empty()) start.primary = run.result->primary;
  if (run.result && run.state.phase == RunPhase::running) {
    run.state.phase = run.result->stopped.empty() ? RunPhase::finished : RunPhase::stopped;
    run.state.reason = run.result->stopped;
  }
  return run;
}

std::vector<StepRow> in_stretches(const std::vector<StepRow>& steps, size_t most) {
  const size_t length = std::max<size_t>(1, (steps.size() + most - 1) / most);
  std::vector<StepRow> rows;
  for (size_t first = 0; first < steps.size(); first += length) {
    rows.push_back(mean(steps, first, std::min(first + length, steps.size())));
  }
  return rows;
}

}  // namespace diagrad::train
