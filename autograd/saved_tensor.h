#pragma once

#include <cstdint>

#include "diagrad/autograd/node.h"
#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

/// A tensor kept for the backward pass: the data and its version, not its graph (so an output may
/// be saved by its own node). An undefined tensor may be saved and comes back undefined.
class SavedTensor {
 public:
  SavedTensor() = default;
  explicit SavedTensor(const Tensor& tensor);

  /// Throws, naming the operation, when the data was changed in place since it was saved.
  const Tensor& get(const BackwardContext& context) const;

 private:
  Tensor tensor_;
  uint32_t version_ = 0;
};

}  // namespace diagrad::autograd
