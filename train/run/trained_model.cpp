#include "diagrad/train/run/trained_model.h"

#include <filesystem>
#include <utility>

#include "diagrad/core/allocator.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/run/job.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".safetensors";

/// Those of a run folder, most wanted first.
std::vector<std::string> files_in(const std::string& path) {
  std::error_code ignored;
  std::vector<std::string> files;
  for (const fs::path& folder : {fs::path(path) / "checkpoints", fs::path(path)}) {
    for (const char* name : {"best", "last", "last.prev"}) {
      const fs::path file = folder / (std::string(name) + kEnding);
      if (fs::exists(file, ignored)) files.push_back(file.string());
    }
  }
  return files;
}

/// What a path may mean, most wanted first.
std::vector<std::string> candidates(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(ErrorKind::checkpoint, "{}: does not exist, expected a run folder or a checkpoint file",
         path);
  }
  if (!fs::is_directory(path, ignored)) return {path};
  std::vector<std::string> files = files_in(path);
  if (files.empty()) {
    fail(ErrorKind::checkpoint,
         "{}: holds no checkpoint; expected checkpoints/best.safetensors or "
         "checkpoints/last.safetensors in it",
         path);
  }
  return files;
}

/// What its tensors take, with room for what is freed again while they are made. The net that a
/// file describes may take no more than the tensors in it explain: its options are only words.
int64_t most_memory(const TensorMap& weights) {
  constexpr int64_t kRoom = int64_t{4} << 20;
  int64_t bytes = 0;
  for (const auto& named : weights) {
    bytes += named.second.numel() * size_of(named.second.dtype());
  }
  return 4 * bytes + kRoom;
}

}  // namespace

bool has_checkpoint(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return !files_in(path).empty();
  return path.ends_with(kEnding) && fs::exists(path, ignored);
}

FoundCheckpoint find_checkpoint(const std::string& path, const std::string& weights) {
  FoundCheckpoint found;
  const std::vector<std::string> files = candidates(path);
  for (const std::string& file : files) {
    try {
      found.checkpoint = read_checkpoint(file);
      found.path = file;
      break;
    } catch (const Error& error) {
      if (files.size() == 1) throw;
      found.notes.emplace_back(error.what());
    }
  }
  if (found.path.empty()) {
    fail(ErrorKind::checkpoint, "{}: none of {} checkpoints can be used; {}", path, files.size(),
         found.notes.front());
  }
  const bool has_average = found.checkpoint.info.options.ema_decay > 0.0;
  if (weights == "ema" && !has_average) {
    fail(ErrorKind::checkpoint, "weights: {} holds no moving average; its run had no --ema-decay",
         found.path);
  }
  found.weights = !weights.empty() ? weights : has_average ? "ema" : "trained";
  return found;
}

TrainedModel load_trained(const std::string& path, const std::string& which) {
  FoundCheckpoint found = find_checkpoint(path, which);
  const TensorMap weights = found.tensors();
  TrainedModel trained{.info = std::move(found.checkpoint.info),
                       .path = std::move(found.path),
                       .weights = std::move(found.weights),
                       .notes = std::move(found.notes)};
  const Options& options = trained.info.options;
  try {
    const AllocationLimit limit(most_memory(weights));
    options.validate();
    trained.task = make_task(options.task);
    trained.model = make_model(options, trained.info.data.input, options.classes);
    trained.model->to(parse_dtype(options.precision));
  } catch (const Error& error) {
    fail(ErrorKind::checkpoint, "{}: this program cannot build its model: {}", trained.path,
         error.what());
  }
  restore(trained.model->state_dict(), weights, trained.path);
  trained.model->eval();
  return trained;
}

}  // namespace diagrad::train
