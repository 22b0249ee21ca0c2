#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"

namespace diagrad {

struct Conv1dOptions {
  int64_t stride = 1;
  int64_t padding = 0;  ///< zeros at both ends
  int64_t dilation = 1;
  int64_t groups = 1;
};

/// Convolution (cross-correlation) of channels-last sequences, x [B,L,C], w [O,k,C/groups], bias
/// [O] or undefined; y [B,L',O] with L' = (L + 2 padding - dilation (k - 1) - 1) / stride + 1,
/// rounded down. conv2d with a height of 1: the same formula, what is saved and what throws.
Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias,
              const Conv1dOptions& options = {});
Tensor conv1d(const Tensor& x, const Tensor& w, const Conv1dOptions& options = {});

}  // namespace diagrad
