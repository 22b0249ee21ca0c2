#include "diagrad/train/run/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "diagrad/core/build_info.h"
#include "diagrad/core/error.h"
#include "diagrad/core/json_text.h"
#include "diagrad/ops/multi_tensor.h"
#include "diagrad/train/run/format.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

constexpr const char* kInfoKey = "diagrad";
constexpr const char* kChecksumKey = "checksum";

json to_json(const MetricValues& values) {
  json object = json::object();
  for (const auto& [name, value] : values) object[name] = value;
  return object;
}

json to_json(const Progress& p) {
  return {
      {"step", p.step},
      {"epoch", p.epoch},
      {"batch", p.batch},
      {"schedule_step", p.schedule_step},
      {"sums", {{"examples", p.sums.examples}, {"loss", p.sums.loss}, {"values", p.sums.values}}},
      {"last", to_json(p.last)},
      {"best", p.best},
      {"best_epoch", p.best_epoch}};
}

json to_json(const DataIdentity& data) {
  return {{"name", data.name},
          {"input", std::vector<int64_t>(data.input.begin(), data.input.end())},
          {"classes", data.classes},
          {"train_images", data.train_images},
          {"validation_images", data.validation_images},
          {"test_images", data.test_images},
          {"hash", data.hash}};
}

json to_json(const std::vector<DataChange>& changes) {
  json list = json::array();
  for (const DataChange& change : changes) {
    list.push_back({{"step", change.step}, {"text", change.text}});
  }
  return list;
}

std::string to_text(const CheckpointInfo& info) {
  const json object = {{"format", kFormat},
                       {"version", build_info().version},
                       {"config", json::parse(to_json(info.options))},
                       {"progress", to_json(info.progress)},
                       {"metric",
                        {{"name", info.primary.name},
                         {"higher_is_better", info.primary.higher_is_better},
                         {"is_share", info.primary.is_share}}},
                       {"seed", info.options.seed},
                       {"schedule", {{"name", info.options.schedule}, {"lr", info.progress.lr}}},
                       {"data", to_json(info.data)},
                       {"data_changes", to_json(info.data_changes)},
                       {"chosen_on", info.chosen_on},
                       {"init", {{"hash", info.init.hash}, {"text", info.init.text}}}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Names and values out of a file may be long.
std::string shortened(const std::string& text) {
  constexpr size_t kLongest = 300;
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

/// An integer from 0 up to what no sum of two overflows from.
int64_t count_in(const json& object, const char* name) {
  const std::optional<int64_t> count = count_of(object.at(name), int64_t{1} << 60);
  if (!count) fail(ErrorKind::checkpoint, "has an impossible count for {}", name);
  return *count;
}

std::vector<DataChange> changes_of(const json& list) {
  std::vector<DataChange> changes;
  for (const json& change : list) {
    changes.push_back({count_in(change, "step"), change.at("text").get<std::string>()});
  }
  return changes;
}

/// JSON has no NaN: the loss of an evaluation that went wrong is null.
double number_of(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

Progress progress_of(const json& object, const Task& task) {
  Progress p;
  p.step = count_in(object, "step");
  p.epoch = count_in(object, "epoch");
  p.batch = count_in(object, "batch");
  p.schedule_step = object.contains("schedule_step") ? count_in(object, "schedule_step") : p.step;
  const json& sums = object.at("sums");
  p.sums.examples = count_in(sums, "examples");
  p.sums.loss = number_of(sums.at("loss"));
  for (const json& value : sums.at("values")) p.sums.values.push_back(number_of(value));
  const json& last = object.at("last");
  for (const Metric& metric : task.all_metrics()) {
    if (!last.empty()) p.last.emplace_back(metric.name, number_of(last.at(metric.name)));
  }
  p.best = number_of(object.at("best"));
  p.best_epoch = count_in(object, "best_epoch");
  return p;
}

DataIdentity data_of(const json& object) {
  DataIdentity data;
  data.name = object.at("name").get<std::string>();
  for (const json& size : object.at("input")) {
    data.input.push_back(count_of(size, int64_t{1} << 60).value_or(-1));
  }
  if (data.input.rank() != 3 || *std::min_element(data.input.begin(), data.input.end()) < 0) {
    fail(ErrorKind::checkpoint, "has images of shape {}, expected [H,W,C]", data.input);
  }
  data.classes = object.at("classes").get<std::vector<std::string>>();
  data.train_images = count_in(object, "train_images");
  data.validation_images = count_in(object, "validation_images");
  data.test_images = count_in(object, "test_images");
  data.hash = object.at("hash").get<std::string>();
  return data;
}

CheckpointInfo from_text(const std::string& text) {
  const json object = parse_json(text);
  check_format(object.at("format").dump());
  CheckpointInfo info;
  info.options = options_from_json(object.at("config").dump());
  info.options.validate();
  info.progress = progress_of(object.at("progress"), *make_task(info.options.task));
  const json& metric = object.at("metric");
  info.primary = {metric.at("name").get<std::string>(), metric.at("higher_is_better").get<bool>(),
                  metric.at("is_share").get<bool>()};
  info.progress.lr = object.at("schedule").at("lr").get<double>();
  info.data = data_of(object.at("data"));
  info.data_changes = changes_of(json_member(object, "data_changes"));
  info.chosen_on = object.at("chosen_on").get<std::string>();
  const json& init = json_member(object, "init");
  info.init = {json_text(json_member(init, "hash")), json_text(json_member(init, "text"))};
  return info;
}

/// Other formats have other checksums, too. Does nothing where the text says the present format, or
/// none.
void refuse_old_format(const std::string& path, const std::string& text) {
  const json format = json_member(parse_json(text), "format");
  if (!count_of(format, INT64_MAX)) return;
  try {
    check_format(format.dump());
  } catch (const Error& error) {
    fail(ErrorKind::checkpoint, "{}: {}", path, error.what());
  }
}

Metadata without_checksum(Metadata metadata) {
  metadata.erase(kChecksumKey);
  return metadata;
}

std::string checksum_text(const TensorMap& tensors, const Metadata& metadata) {
  return fmt::format("{:016x}", checksum(tensors, metadata));
}

}  // namespace

TensorMap Checkpoint::part(const std::string& prefix) const {
  TensorMap selected;
  for (const auto& named : tensors) {
    if (named.first.rfind(prefix + ".", 0) == 0) {
      selected[named.first.substr(prefix.size() + 1)] = named.second;
    }
  }
  return selected;
}

bool is_checkpoint(const SafetensorsReader& reader) {
  return reader.metadata().count(kInfoKey) == 1;
}

void write_checkpoint(AtomicFile& file, const Checkpoint& checkpoint) {
  Metadata metadata = {{"format", "diagrad"}, {kInfoKey, to_text(checkpoint.info)}};
  metadata[kChecksumKey] = checksum_text(checkpoint.tensors, metadata);
  write_safetensors(file, checkpoint.tensors, metadata);
}

Checkpoint read_checkpoint(const std::string& path) {
  const SafetensorsReader reader(path);
  const auto text = reader.metadata().find(kInfoKey);
  const auto expected = reader.metadata().find(kChecksumKey);
  if (text == reader.metadata().end() || expected == reader.metadata().end()) {
    fail(ErrorKind::checkpoint, "{}: is a safetensors file, but no checkpoint of a diagrad run",
         path);
  }
  Checkpoint checkpoint;
  checkpoint.tensors = reader.read_all();
  const std::string sum = checksum_text(checkpoint.tensors, without_checksum(reader.metadata()));
  if (sum != expected->second) {
    refuse_old_format(path, text->second);
    fail(ErrorKind::checkpoint, "{}: is damaged: its checksum is {}, and it says {}", path, sum,
         expected->second.substr(0, 16));
  }
  try {
    checkpoint.info = from_text(text->second);
  } catch (const Error& error) {
    fail(ErrorKind::checkpoint, "{}: {}", path, shortened(error.what()));
  } catch (const json::exception&) {
    fail(ErrorKind::checkpoint, "{}: its description lacks something or is no JSON text", path);
  }
  return checkpoint;
}

void restore(const TensorMap& into, const TensorMap& from, const std::string& what) {
  const nn::LoadReport report = nn::compare(into, from);
  if (!report.complete()) {
    fail(ErrorKind::checkpoint,
         "{}: is of another model or setting: {}; use the options it was trained with", what,
         report.text());
  }
  nn::load(into, from);
}

bool is_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return true;
  const Tensor values =
      (tensor.dtype() == DType::bf16 ? tensor.to(DType::f32) : tensor).contiguous();
  return std::isfinite(sum_of_squares({&values, 1}));
}

std::string first_not_finite(const TensorMap& tensors) {
  for (const auto& named : tensors) {
    if (!is_finite(named.second)) return named.first;
  }
  return {};
}

}  // namespace diagrad::train
