#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"

namespace diagrad::train {

/// The targets f64 [B,K] of a batch whose image b is mixed with image B-1-b: with s for
/// label_smoothing and [.] for one-hot rows of the labels i64 [B],
///
///     q[b] = (1 - s) (own_share [labels[b]] + (1 - own_share) [labels[B-1-b]]) + s / K
///
/// Throws for a label outside [0, K).
Tensor mixed_targets(const Tensor& labels, double own_share, int64_t classes,
                     double label_smoothing);

}  // namespace diagrad::train
