#pragma once

#include <string>
#include <utility>
#include <vector>

#include "diagrad/train/run/run_parts.h"

namespace diagrad::train {

/// `FILE[:option=value,...]` of `--init`. What stands behind the last colon is options only where
/// it begins like `name=` and no file of the whole name exists.
struct InitText {
  std::string file;
  std::vector<std::pair<std::string, std::string>> options;
};
InitText parse_init(const std::string& text);

/// The weights that a run begins with, fitted to its model.
struct InitWeights {
  TensorMap tensors;
  InitRecord record;
  std::vector<std::string> notes;  ///< what was replaced, is missing or in excess: a line each
};

/// Reads what `options.init` names: a checkpoint or the newest `best` of a run folder (its moving
/// average where it has one), or any other safetensors file, whose convolution weights are in
/// PyTorch's layout. Changes nothing. Throws Error(checkpoint), beginning with "init: ", for a file
/// that cannot be used or fits the model in nothing (models::fit_weights).
InitWeights read_init(const TrainJob& job);

/// Copies the weights into the model, and all of the model into the moving average.
void apply_init(const InitWeights& weights, const RunParts& parts);

}  // namespace diagrad::train
