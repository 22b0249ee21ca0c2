#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/tasks/task.h"

namespace diagrad::nn {
class Module;
}

namespace diagrad::train {

/// A checkpoint that was looked for.
struct FoundCheckpoint {
  Checkpoint checkpoint;
  std::string path;
  std::string weights;             ///< "ema" or "trained"
  std::vector<std::string> notes;  ///< of checkpoints that were passed over, and why

  /// The tensors of `weights`.
  TensorMap tensors() const { return checkpoint.part(weights == "ema" ? "ema" : "model"); }
};

/// Whether a path is a checkpoint file, by its ending, or a folder that find_checkpoint() would
/// find one in.
bool has_checkpoint(const std::string& path);

/// Reads a checkpoint file, or from a run folder `best`; where that is missing or damaged, `last`,
/// then `last.prev`. `weights`: "ema", "trained", or empty: "ema" where the run averaged its
/// weights. Throws Error(checkpoint) where none is whole, or has no such weights.
FoundCheckpoint find_checkpoint(const std::string& path, const std::string& weights = "");

/// A model with the weights of a checkpoint, in evaluation mode.
struct TrainedModel {
  CheckpointInfo info = {};
  std::shared_ptr<const Task> task = {};
  std::shared_ptr<nn::Module> model = {};
  std::string path = {};                ///< of the checkpoint
  std::string weights = {};             ///< "ema" or "trained"
  std::vector<std::string> notes = {};  ///< of checkpoints that were passed over, and why
};

/// Builds the model that find_checkpoint() finds. Throws Error(checkpoint) where there is none or
/// this program cannot build its model.
TrainedModel load_trained(const std::string& path, const std::string& weights = "");

}  // namespace diagrad::train
