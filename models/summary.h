#pragma once

#include <functional>
#include <string>
#include <vector>

#include "diagrad/core/shape.h"
#include "diagrad/nn/module.h"

namespace diagrad::models {

/// One module with parameters of its own, or what holds several that one operation serves; also
/// what holds the layers around products of activations, such as self-attention, [heads,T,d].
struct LayerRow {
  std::string name;           ///< as in the state dict
  std::string operation;      ///< conv2d, linear, batch_norm, ...
  Shape output;               ///< of the last call, for one image
  int64_t parameters = 0;     ///< counted once
  int64_t calls = 0;          ///< in one forward pass
  int64_t multiply_adds = 0;  ///< over all calls
};

struct Summary {
  std::vector<LayerRow> layers;  ///< in order of the first call
  int64_t parameters = 0;        ///< a shared module counts once
  int64_t multiply_adds = 0;     ///< a shared module counts per call
  int64_t activation_bytes = 0;  ///< results of all operations, one image, f32
};

/// Watches `forward`, a call of `model` on one image, in evaluation mode and without a graph.
Summary summarize(nn::Module& model, const std::function<void()>& forward);
/// The same of model.forward() on an image [H,W,C] of zeros.
Summary summarize(nn::Module& model, const Shape& input);

}  // namespace diagrad::models
