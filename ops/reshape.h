#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// The same elements in row-major order with another shape; one size may be -1 and is worked out.
/// A view where x is contiguous, else a copy. Throws when the counts do not agree.
Tensor reshape(const Tensor& x, const Shape& shape);
/// Axes from `first_axis` on merged into one: [B,H,W,C] to [B,HWC].
Tensor flatten(const Tensor& x, int first_axis = 1);
/// Without an axis of size 1. Throws when its size is another.
Tensor squeeze(const Tensor& x, int axis);
/// With a new axis of size 1 in front of `axis` (rank: at the end).
Tensor unsqueeze(const Tensor& x, int axis);

}  // namespace diagrad
