#include "diagrad/train/run/init.h"

#include <fmt/format.h>

#include <filesystem>

#include "diagrad/core/error.h"
#include "diagrad/models/first_weights.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/trained_model.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// `grid=8x8,...`: a name of lower-case letters, digits and minus, then an equals sign.
bool begins_like_options(std::string_view text) {
  const size_t equals = text.find('=');
  return equals != std::string_view::npos && equals > 0 &&
         text.substr(0, equals).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
             std::string_view::npos;
}

/// What a file holds.
struct Source {
  models::GivenState given;
  std::string kind;  ///< for the record: ", averaged weights"
  std::vector<std::string> notes;
};

Source read_source(const std::string& file) {
  Source source;
  std::error_code ignored;
  if (!fs::is_directory(file, ignored) && exists(file)) {
    const SafetensorsReader reader(file);
    if (!is_checkpoint(reader)) {
      source.given.tensors = models::from_torch_layout(reader.read_all());
      return source;
    }
  }
  FoundCheckpoint found = find_checkpoint(file);
  source.given.tensors = found.tensors();
  source.given.input = found.checkpoint.info.data.input;
  source.kind = found.weights == "ema" ? ", averaged weights" : "";
  source.notes = std::move(found.notes);
  return source;
}

std::string record_text(const models::FirstWeights& weights, size_t all, const std::string& kind,
                        const std::string& head) {
  std::string text = fmt::format("{} of {} tensors{}", weights.tensors.size(), all, kind);
  if (!weights.replaced.empty()) text += fmt::format("; {} is fresh", head);
  return text;
}

/// What the user should know of tensors that are not taken.
void add_notes(const models::FirstWeights& weights, const std::string& file,
               const std::string& head, std::vector<std::string>& notes) {
  const auto add = [&](const std::vector<std::string>& names, const std::string& words) {
    if (names.empty()) return;
    notes.push_back(
        fmt::format("init: {} {}: {} ({})", file, words, nn::first_few(names), names.size()));
  };
  for (const std::string& note : weights.notes) notes.push_back(fmt::format("init: {}", note));
  add(weights.replaced,
      fmt::format("has a head of another size, {} keeps its fresh weights", head));
  add(weights.missing, "lacks tensors, which keep their fresh weights");
  add(weights.unexpected, "has tensors that the model does not have, they are left out");
}

InitWeights read(const InitText& text, const TrainJob& job) {
  const models::ModelInfo* info = models::find_if_registered(job.options.model);
  const OptionValues options("init", {job.options.model, text.options},
                             info == nullptr ? std::vector<Option>() : info->init_options);
  Source source = read_source(text.file);
  source.given.options = options;
  models::FirstWeights weights = models::fit_weights(std::move(source.given), info, *job.model);
  const std::string bad = first_not_finite(weights.tensors);
  if (!bad.empty()) fail(ErrorKind::checkpoint, "{} holds a value that is not finite", bad);
  const std::string head = info == nullptr ? "" : info->head;
  InitWeights result;
  result.record.hash = fmt::format("{:016x}", checksum(weights.tensors, {}));
  result.record.text = record_text(weights, job.model->state_dict().size(), source.kind, head);
  result.notes = std::move(source.notes);
  add_notes(weights, text.file, head, result.notes);
  result.tensors = std::move(weights.tensors);
  return result;
}

}  // namespace

InitText parse_init(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || exists(text) ||
      !begins_like_options(std::string_view(text).substr(colon + 1))) {
    return {text, {}};
  }
  return {text.substr(0, colon), parse_selection("init", "x" + text.substr(colon)).options};
}

InitWeights read_init(const TrainJob& job) {
  const InitText text = parse_init(job.options.init);
  try {
    return read(text, job);
  } catch (const Error& error) {
    std::string message = error.what();
    if (message.starts_with("init: ")) throw;
    if (!message.starts_with(text.file)) message = text.file + ": " + message;
    throw Error(error.kind(), "init: " + message);
  }
}

void apply_init(const InitWeights& weights, const RunParts& parts) {
  const TensorMap live = parts.job.model->state_dict();
  nn::load(live, weights.tensors);
  if (parts.ema != nullptr) nn::load(parts.ema->state(), live);
}

}  // namespace diagrad::train
