#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Repeats each pixel `factor` times along both axes, [B,H,W,C] to [B,factor*H,factor*W,C]:
/// y[b,h,w,c] = x[b,h/factor,w/factor,c]. dx sums dy over each square of copies. Saves nothing.
/// Throws for another rank and for a factor below 1 or so large that the sizes are no int64_t.
Tensor upsample_nearest(const Tensor& x, int64_t factor);

}  // namespace diagrad
