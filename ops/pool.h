#pragma once

#include "diagrad/core/size2.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

struct Pool2dOptions {
  Size2 kernel;
  Size2 stride = 0;               ///< 0: the kernel size
  Size2 padding = 0;              ///< on both sides, at most half the kernel
  bool count_include_pad = true;  ///< avg_pool2d: divide by the whole window at the border too
};

/// The largest value of each window, images [B,H,W,C] to [B,H',W',C] with
/// H' = (H + 2 padding - kernel) / stride + 1, rounded down. Padding never wins; a NaN does; of
/// equal values the first in row-major order gets the gradient, as in PyTorch. Saves the place of
/// each index, i32. Throws for ranks and windows that do not fit.
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options);

/// The mean of each window, shapes as max_pool2d. Padding counts as zeros, or not at all with
/// count_include_pad = false. dx adds dy / (values of the window) over the windows that hold it.
/// Saves nothing.
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);

/// The mean of windows chosen to give `size`: along each axis, window i of O reaches from
/// floor(i * I / O) to ceil((i + 1) * I / O), as in PyTorch. Saves nothing.
Tensor adaptive_avg_pool2d(const Tensor& x, Size2 size);

/// The mean over all positions, x [B,...,C] of rank >= 2 (images [B,H,W,C], tokens [B,T,D]):
///
///   y[b,c] = sum over the positions of x[b,...,c] / positions,  dx = dy / positions
///
/// Saves nothing. Throws when there are no positions.
Tensor global_avg_pool(const Tensor& x);

}  // namespace diagrad
