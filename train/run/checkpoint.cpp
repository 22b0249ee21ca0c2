#include "diagrad/train/run/checkpoint.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "diagrad/core/build_info.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor.h"
#include "diagrad/train/run/json_text.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

constexpr int64_t kFormat = 1;
constexpr const char* kInfoKey = "diagrad";
constexpr const char* kChecksumKey = "checksum";

/// The one list of what Progress holds.
template <typename P, typename Visit>
void visit_progress(P& p, Visit visit) {
  visit("step", p.step);
  visit("epoch", p.epoch);
  visit("batch", p.batch);
  visit("loss_sum", p.loss_sum);
  visit("correct", p.correct);
  visit("seen", p.seen);
  visit("last_loss", p.last_loss);
  visit("last_accuracy", p.last_accuracy);
  visit("best_accuracy", p.best_accuracy);
  visit("best_epoch", p.best_epoch);
}

std::string to_text(const CheckpointInfo& info) {
  json progress;
  visit_progress(info.progress, [&](const char* name, auto value) { progress[name] = value; });
  const json object = {{"format", kFormat},
                       {"version", build_info().version},
                       {"config", json::parse(to_json(info.options))},
                       {"progress", progress},
                       {"seed", info.options.seed},
                       {"schedule", {{"name", info.options.schedule}, {"lr", info.lr}}},
                       {"input", std::vector<int64_t>(info.input.begin(), info.input.end())},
                       {"classes", info.classes},
                       {"chosen_on", info.chosen_on}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Names and values out of a file may be long.
std::string shortened(const std::string& text) {
  constexpr size_t kLongest = 300;
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

/// A whole number from 0 up to what no sum of two overflows from.
void read_number(const char* name, const json& entry, int64_t& value) {
  const std::optional<int64_t> count = count_of(entry, int64_t{1} << 60);
  if (!count) fail(ErrorKind::checkpoint, "has an impossible count for {}", name);
  value = *count;
}

/// JSON has no NaN: the loss of an evaluation that went wrong is null.
void read_number(const char* /*name*/, const json& entry, double& value) {
  value = entry.is_null() ? std::numeric_limits<double>::quiet_NaN() : entry.get<double>();
}

CheckpointInfo from_text(const std::string& text) {
  const json object = parse_json(text);
  const json& format = object.at("format");
  if (format != kFormat) {
    fail(ErrorKind::checkpoint, "has format {}, this diagrad reads {}", format.dump(), kFormat);
  }
  CheckpointInfo info;
  info.options = options_from_json(object.at("config").dump());
  info.options.validate();
  const json& progress = object.at("progress");
  visit_progress(info.progress, [&](const char* name, auto& value) {
    read_number(name, progress.at(name), value);
  });
  info.lr = object.at("schedule").at("lr").get<double>();
  for (const json& size : object.at("input")) {
    int64_t value = 0;
    read_number("input", size, value);
    info.input.push_back(value);
  }
  if (info.input.rank() != 3) {
    fail(ErrorKind::checkpoint, "has images of shape {}, expected [H,W,C]", info.input);
  }
  info.classes = object.at("classes").get<std::vector<std::string>>();
  info.chosen_on = object.at("chosen_on").get<std::string>();
  return info;
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
