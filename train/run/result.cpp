#include "diagrad/train/run/result.h"

#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/file_text.h"
#include "diagrad/core/json_text.h"
#include "diagrad/train/run/format.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

json test_json(const TrainResult& result) {
  const Evaluation& last = result.last;
  json metrics = json::object();
  for (const auto& [name, value] : last.metrics) metrics[name] = value;
  json test = json::parse(last.details);
  test["metric"] = result.primary.name;
  test["better"] = result.primary.higher_is_better ? "higher" : "lower";
  test["is_share"] = result.primary.is_share;
  test["weights"] = result.weights;
  test["last"] = value_of(last.metrics, result.primary.name);
  test["best"] = result.best;
  test["best_epoch"] = result.best_epoch;
  test["best_chosen_on"] = result.chosen_on;
  test["examples"] = last.examples;
  test["metrics"] = std::move(metrics);
  return test;
}

void read_test(const json& test, TrainResult& result) {
  result.primary.name = json_text(json_member(test, "metric"));
  result.primary.higher_is_better = json_text(json_member(test, "better")) != "lower";
  result.primary.is_share = json_member(test, "is_share") == json(true);
  result.weights = json_text(json_member(test, "weights"));
  result.best = json_number(json_member(test, "best"));
  result.best_epoch = json_count(test, "best_epoch");
  result.chosen_on = json_text(json_member(test, "best_chosen_on"));
  result.last.examples = json_count(test, "examples");
  if (const json& metrics = json_member(test, "metrics"); metrics.is_object()) {
    for (const auto& item : metrics.items()) {
      result.last.metrics.emplace_back(item.key(), json_number(item.value()));
    }
  }
  json details = test;
  for (const char* key : {"metric", "better", "is_share", "weights", "last", "best", "best_epoch",
                          "best_chosen_on", "examples", "metrics"}) {
    details.erase(key);
  }
  result.last.details = details.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string result_json(const TrainResult& result, const Options& options) {
  const json object = {
      {"format", kFormat},         {"task", parse_selection("task", options.task).name},
      {"model", options.model},    {"attention", options.attention},
      {"data", options.data},      {"parameters", result.parameters},
      {"epochs", result.epochs},   {"steps", result.steps},
      {"seconds", result.seconds}, {"images_per_second", result.images_per_second},
      {"seed", result.seed},       {"overfit_one_batch", options.overfit_one_batch},
      {"stopped", result.stopped}, {"test", test_json(result)}};
  return object.dump(2, ' ', false, json::error_handler_t::replace);
}

std::optional<TrainResult> read_result(const std::string& path) {
  const json object = file_json(path);
  const json& test = json_member(object, "test");
  if (!test.is_object() || !object.contains("format")) return std::nullopt;
  try {
    check_format(json_member(object, "format").dump());
  } catch (const Error& error) {
    fail(ErrorKind::checkpoint, "{}: {}", path, error.what());
  }
  TrainResult result;
  result.parameters = json_count(object, "parameters");
  result.epochs = json_count(object, "epochs");
  result.steps = json_count(object, "steps");
  result.seconds = json_number(json_member(object, "seconds"));
  result.images_per_second = json_number(json_member(object, "images_per_second"));
  result.seed = json_count(object, "seed", INT64_MAX);
  result.stopped = json_text(json_member(object, "stopped"));
  read_test(test, result);
  return result;
}

std::optional<TrainResult> standing_result(const std::string& folder, const Options& options) {
  const std::string path = folder + "/result.json";
  auto result = read_result(path);
  if (!result) return std::nullopt;
  if (file_text(path) != result_json(*result, options) + "\n") return std::nullopt;
  result->folder = folder;
  return result;
}

}  // namespace diagrad::train
