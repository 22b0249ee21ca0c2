#pragma once

#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad {

struct PadSize {
  int64_t before = 0;
  int64_t after = 0;
};

/// x with `value` around it, one PadSize per axis. dx = dy inside. Saves nothing. Throws when the
/// count is not the rank, a size is negative or a sum of sizes no int64_t.
Tensor pad(const Tensor& x, const std::vector<PadSize>& sizes, double value = 0.0);

}  // namespace diagrad
