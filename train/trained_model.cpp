#include "diagrad/train/trained_model.h"

#include <filesystem>

#include "diagrad/core/error.h"
#include "diagrad/nn/module.h"
#include "diagrad/train/job.h"

namespace diagrad::train {
namespace {

namespace fs = std::filesystem;

/// What a path may mean, most wanted first.
std::vector<std::string> candidates(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(ErrorKind::checkpoint, "{}: does not exist, expected a run folder or a checkpoint file",
         path);
  }
  if (!fs::is_directory(path, ignored)) return {path};
  std::vector<std::string> files;
  for (const fs::path& folder : {fs::path(path) / "checkpoints", fs::path(path)}) {
    for (const char* name : {"best", "last", "last.prev"}) {
      const fs::path file = folder / (std::string(name) + ".safetensors");
      if (fs::exists(file, ignored)) files.push_back(file.string());
    }
  }
  if (files.empty()) {
    fail(ErrorKind::checkpoint,
         "{}: holds no checkpoint; expected checkpoints/best.safetensors or "
         "checkpoints/last.safetensors in it",
         path);
  }
  return files;
}

}  // namespace

TrainedModel load_trained(const std::string& path) {
  TrainedModel trained;
  Checkpoint checkpoint;
  const std::vector<std::string> files = candidates(path);
  for (const std::string& file : files) {
    try {
      checkpoint = read_checkpoint(file);
      trained.path = file;
      break;
    } catch (const Error& error) {
      if (files.size() == 1) throw;
      trained.notes.emplace_back(error.what());
    }
  }
  if (trained.path.empty()) {
    fail(ErrorKind::checkpoint, "{}: none of {} checkpoints can be used; {}", path, files.size(),
         trained.notes.front());
  }
  trained.info = std::move(checkpoint.info);
  const Options& options = trained.info.options;
  try {
    options.validate();
    trained.model = make_model(options, trained.info.input, options.classes);
  } catch (const Error& error) {
    fail(ErrorKind::checkpoint, "{}: this program cannot build its model: {}", trained.path,
         error.what());
  }
  const bool averaged = options.ema_decay > 0.0;
  trained.weights = averaged ? "ema" : "trained";
  restore(trained.model->state_dict(), checkpoint.part(averaged ? "ema" : "model"), trained.path);
  trained.model->eval();
  return trained;
}

}  // namespace diagrad::train
