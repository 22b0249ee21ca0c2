#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"

namespace diagrad {

struct DropoutOptions {
  double p = 0.5;       ///< probability of a zero, in [0, 1]
  uint64_t seed = 0;    ///< of the run
  uint64_t stream = 0;  ///< tells apart calls with the same seed
};

/// Multiplies elements by 0 with probability p and the others by 1 / (1 - p), so that the expected
/// value stays; p = 1 drops all. As a product: a dropped NaN or infinity is NaN. Element i
/// (row-major) is dropped where word i of the Philox sequence of (seed, stream) is below p * 2^32:
/// a function of these alone, equal on every device and for any number of threads. dx is the same
/// mask and scale of dy; saves nothing. Throws for p outside [0, 1]. Source: Srivastava et al.,
/// "Dropout", JMLR 2014.
Tensor dropout(const Tensor& x, const DropoutOptions& options);

/// The same for whole samples: entry b of the first axis is dropped by word b. At the end of a
/// residual branch it skips the block for that sample.
/// Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016.
Tensor drop_path(const Tensor& x, const DropoutOptions& options);

}  // namespace diagrad
