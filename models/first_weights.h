#pragma once

#include <string>
#include <vector>

#include "diagrad/models/registry.h"

namespace diagrad::models {

/// How a file's weights fit a model.
struct FirstWeights {
  nn::StateDict tensors = {};  ///< what the model takes, in the dtypes of the model
  /// Of the head where its size differs: "fc.weight is f32 [100,64] there, f32 [10,64] here".
  std::vector<std::string> replaced = {};
  std::vector<std::string> missing = {};     ///< of the model, not in the file
  std::vector<std::string> unexpected = {};  ///< of the file, not in the model
  std::vector<std::string> notes = {};       ///< of ModelInfo::adapt
};

/// Convolution weights of PyTorch's layout [O,I,kh,kw], which are all tensors of rank 4, as
/// [O,kh,kw,I]. Counters of batch norm (`num_batches_tracked`), which no model here has, are left
/// out.
nn::StateDict from_torch_layout(const nn::StateDict& tensors);

/// Fits the weights of a file to `model`: ModelInfo::adapt, then names, dtypes (any floating-point
/// one to the model's) and shapes. Where the head (ModelInfo::head) has another size, all its
/// tensors are left to their first values. `info` is null for a model that is not registered.
/// Changes no tensor of the model. Throws Error(checkpoint) where nothing fits and where a
/// tensor beside the head has another shape.
FirstWeights fit_weights(GivenState given, const ModelInfo* info, const nn::Module& model);

}  // namespace diagrad::models
