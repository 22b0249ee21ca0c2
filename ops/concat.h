#pragma once

#include <span>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Tensors one after the other along an axis; each gets its part of dy. Saves nothing. Throws when
/// there are none, or when dtypes or the other sizes differ.
Tensor concat(std::span<const Tensor> tensors, int axis);
/// Equally shaped tensors side by side along a new axis in front of `axis`.
Tensor stack(std::span<const Tensor> tensors, int axis);

}  // namespace diagrad
