#pragma once

#include "diagrad/ops/cpu/gemm/micro_kernel.h"

namespace diagrad::kernels {

// Inner loops of depthwise convolution: nothing is summed over channels, so a vector of channels is
// multiplied by a vector of weights. The loads set the speed: one per multiply-add.

/// As row_kernel, with element products: result[r, c] = sum over runs of
/// rows[r][offsets[run] + c] * panel row `run`[c]. Runs have length 1. Rows are read in whole
/// vectors, so up to kLanes - 1 elements past the last valid column must be readable.
template <typename T>
RowKernel<T> channelwise_kernel(int64_t rows, int64_t vectors);

/// Left operand of a sum over pixels for several taps: pixel k of tap r is at
/// rows[r] + (k / length) * run_step + (k % length) * step.
template <typename T>
struct TapOperand {
  const T* const* rows;
  int64_t step;
  int64_t run_step;
  int64_t runs;
  int64_t length;
};

/// result[r, c] = sum over pixels k of left[r, k, c] * right[k, c]; both read in whole vectors.
template <typename T>
using TapKernel = void (*)(const TapOperand<T>&, const PanelOperand<T>&, const BlockOutput<T>&);

/// For 1 <= rows <= kMaxRows taps and 1 <= vectors <= kMaxVectors.
template <typename T>
TapKernel<T> tap_kernel(int64_t rows, int64_t vectors);

}  // namespace diagrad::kernels
