#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// The mean over all positions, x [B,...,C] of rank >= 2 (images [B,H,W,C], tokens [B,T,D]):
///
///   y[b,c] = sum over the positions of x[b,...,c] / positions,  dx = dy / positions
///
/// Saves nothing. Throws when there are no positions.
Tensor global_avg_pool(const Tensor& x);

}  // namespace diagrad
