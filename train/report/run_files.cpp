#include "diagrad/train/report/run_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "diagrad/train/report/file_text.h"
#include "diagrad/train/report/html.h"
#include "diagrad/train/run/json_text.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMostCount = int64_t{1} << 53;
constexpr int64_t kMostLogBytes = int64_t{1} << 28;
constexpr int64_t kMostConfigBytes = int64_t{1} << 20;
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
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : kNone;
}

/// A count; 0 for what is none.
int64_t whole(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  const bool good = problem == std::errc() && stop == end && value >= 0 && value <= kMostCount;
  return good ? value : 0;
}

int64_t whole(const json& object, const char* key, int64_t most = kMostCount) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  return found != object.end() ? count_of(*found, most).value_or(0) : 0;
}

std::string text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
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

RunState read_state(const std::string& path) {
  const json object = file_json(path);
  RunState state;
  const std::string phase = text(object, "phase");
  const auto found = std::find(kPhases.begin(), kPhases.end(), phase);
  if (found != kPhases.end()) state.phase = static_cast<RunPhase>(found - kPhases.begin());
  state.reason = text(object, "reason");
  state.epoch = whole(object, "epoch");
  state.step = whole(object, "step");
  state.sharing = text(object, "sharing");
  state.classes = names(object, "classes");
  state.test_images = whole(object, "test_images");
  state.start.parameters = whole(object, "parameters");
  state.start.epochs = whole(object, "epochs");
  state.start.steps = whole(object, "steps");
  state.start.steps_per_epoch = whole(object, "steps_per_epoch");
  state.start.train_images = whole(object, "train_images");
  state.start.eval_images = whole(object, "eval_images");
  state.start.eval_set = text(object, "eval_set");
  state.start.resumed_at = whole(object, "resumed_at");
  return state;
}

std::vector<EpochRow> read_epochs(const std::string& path) {
  std::vector<EpochRow> rows;
  const std::string contents = file_text(path, kMostLogBytes);
  for (const std::string_view line : whole_lines(contents)) {
    constexpr size_t kColumns = 12;
    const std::vector<std::string_view> f = split(line);
    if (f.size() < kColumns || whole(f[0]) == 0) continue;
    EpochRow row;
    row.epoch = whole(f[0]);
    row.step = whole(f[1]);
    row.lr = number(f[2]);
    row.train_loss = number(f[3]);
    row.train_accuracy = number(f[4]);
    row.eval_set = std::string(f[5]);
    row.eval_loss = number(f[6]);
    row.eval_accuracy = number(f[7]);
    row.has_ema = std::isfinite(number(f[9]));
    row.ema_loss = number(f[8]);
    row.ema_accuracy = number(f[9]);
    row.seconds = number(f[10]);
    row.images_per_second = number(f[11]);
    rows.push_back(row);
  }
  return rows;
}

std::vector<StepRow> read_steps(const std::string& path) {
  std::vector<StepRow> steps;
  const std::string contents = file_text(path, kMostLogBytes);
  for (const std::string_view line : whole_lines(contents)) {
    const json row = parse_json(line);
    if (whole(row, "step") == 0) continue;
    StepRow step;
    step.step = whole(row, "step");
    step.loss = number(row, "loss");
    step.accuracy = number(row, "accuracy");
    step.lr = number(row, "lr");
    step.grad_norm = number(row, "grad_norm");
    step.seconds = number(row, "seconds");
    steps.push_back(step);
  }
  return steps;
}

/// The mean of steps [first, last), at the last one.
StepRow mean(const std::vector<StepRow>& steps, size_t first, size_t last) {
  StepRow row = steps[last - 1];
  const auto count = static_cast<double>(last - first);
  row.loss = row.accuracy = row.grad_norm = 0.0;
  for (size_t i = first; i < last; ++i) {
    row.loss += steps[i].loss / count;
    row.accuracy += steps[i].accuracy / count;
    row.grad_norm += steps[i].grad_norm / count;
  }
  return row;
}

std::vector<ConfigLine> config_lines(const std::string& toml) {
  std::vector<ConfigLine> lines;
  std::string group;
  std::istringstream stream(toml);
  for (std::string line; std::getline(stream, line);) {
    const size_t equals = line.find(" = ");
    if (line.rfind("# ", 0) == 0) {
      group = line.substr(2);
    } else if (equals != std::string::npos) {
      lines.push_back({group, line.substr(0, equals), line.substr(equals + 3)});
    }
  }
  return lines;
}

std::vector<ConfigLine> read_config(const std::string& path) {
  const std::vector<ConfigLine> usual = config_lines(to_toml(Options()));
  std::vector<ConfigLine> lines = config_lines(file_text(path, kMostConfigBytes));
  for (ConfigLine& line : lines) {
    line.is_usual = std::any_of(usual.begin(), usual.end(), [&](const ConfigLine& other) {
      return other.name == line.name && other.value == line.value;
    });
  }
  return lines;
}

/// The accuracy of each class; NaN for what is no number.
std::vector<double> read_shares(const json& test) {
  std::vector<double> shares;
  if (!test.contains("per_class") || !test["per_class"].is_array()) return shares;
  for (const json& share : test["per_class"]) {
    shares.push_back(share.is_number() ? share.get<double>() : kNone);
  }
  return shares;
}

/// The matrix of counts; empty unless it is square and holds counts alone.
std::vector<std::vector<int64_t>> read_confusion(const json& test) {
  if (!test.contains("confusion") || !test["confusion"].is_array()) return {};
  const json& rows = test["confusion"];
  if (rows.size() > static_cast<size_t>(kMostConfusionClasses)) return {};
  std::vector<std::vector<int64_t>> counts;
  for (const json& row : rows) {
    if (!row.is_array() || row.size() != rows.size()) return {};
    counts.emplace_back();
    for (const json& count : row) {
      const std::optional<int64_t> images = count_of(count, int64_t{1} << 40);
      if (!images) return {};
      counts.back().push_back(*images);
    }
  }
  return counts;
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
  const nlohmann::ordered_json object = {{"format", 1},
                                         {"phase", kPhases[static_cast<size_t>(state.phase)]},
                                         {"reason", state.reason},
                                         {"epoch", state.epoch},
                                         {"step", state.step},
                                         {"epochs", state.start.epochs},
                                         {"steps", state.start.steps},
                                         {"steps_per_epoch", state.start.steps_per_epoch},
                                         {"resumed_at", state.start.resumed_at},
                                         {"parameters", state.start.parameters},
                                         {"sharing", state.sharing},
                                         {"train_images", state.start.train_images},
                                         {"eval_set", state.start.eval_set},
                                         {"eval_images", state.start.eval_images},
                                         {"test_images", state.test_images},
                                         {"classes", state.classes}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<TrainResult> read_result(const std::string& path) {
  const json object = file_json(path);
  if (!object.is_object() || !object.contains("test") || !object["test"].is_object()) return {};
  const json& test = object["test"];
  TrainResult result;
  result.parameters = whole(object, "parameters");
  result.epochs = whole(object, "epochs");
  result.steps = whole(object, "steps");
  result.seconds = number(object, "seconds");
  result.images_per_second = number(object, "images_per_second");
  result.seed = whole(object, "seed", INT64_MAX);
  result.stopped = text(object, "stopped");
  result.weights = text(test, "weights");
  result.chosen_on = text(test, "best_chosen_on");
  result.best = number(test, "best");
  result.best_epoch = whole(test, "best_epoch");
  result.last.accuracy = number(test, "last");
  result.last.loss = number(test, "loss");
  result.last.examples = whole(test, "examples");
  result.last.per_class = read_shares(test);
  result.last.confusion = read_confusion(test);
  return result;
}

RunFiles read_run_files(const std::string& folder) {
  RunFiles run;
  run.folder = folder;
  run.state = read_state(folder + "/run.json");
  run.config = read_config(folder + "/config.toml");
  run.epochs = read_epochs(folder + "/metrics.csv");
  run.steps = read_steps(folder + "/events.jsonl");
  run.result = read_result(folder + "/result.json");
  run.samples = read_samples(folder + "/samples.json");
  const json environment = file_json(folder + "/env.json");
  if (environment.is_object()) add_environment(run.environment, environment, "");
  std::stable_sort(run.environment.begin(), run.environment.end(),
                   [](const auto& a, const auto& b) { return rank(a.first) < rank(b.first); });
  // Folders without run.json are from an older version.
  TrainStart& start = run.state.start;
  if (start.steps_per_epoch == 0 && !run.epochs.empty()) {
    start.steps_per_epoch = run.epochs.front().step / run.epochs.front().epoch;
  }
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
