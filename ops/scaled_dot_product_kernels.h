#pragma once

#include <cstdint>
#include <span>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/dropout_math.h"

namespace diagrad {

/// What the passes share. q [B,heads,Tq,d] and k [B,heads,Tk,d] with any strides but a contiguous
/// last axis.
struct AttentionScores {
  Tensor q, k;
  Tensor mask;  ///< [B,heads,Tq,Tk] with any strides: u8 or q's dtype; undefined: none
  bool causal;
  double scale;
};

/// y [B,heads,Tq,dv] and, where defined, the log-sum-exp of each row of scores, [B,heads,Tq]
/// contiguous; -infinity where a query attends to no key. The last axes of v and y are contiguous.
struct AttentionForward {
  AttentionScores scores;
  Tensor v;
  DropoutMask dropout;  ///< of the weights; threshold 0: none
  Tensor y, log_sum;
};
inline KernelTable<void(const AttentionForward&)> attention_forward_kernel{
    "scaled_dot_product_attention"};

/// Gradients that are not needed are undefined. All last axes are contiguous.
struct AttentionBackward {
  AttentionScores scores;
  Tensor v;
  DropoutMask dropout;
  Tensor y, log_sum, dy;
  Tensor dq, dk, dv;
};
inline KernelTable<void(const AttentionBackward&)> attention_backward_kernel{
    "scaled_dot_product_attention backward"};

/// weights [B,heads,rows,Tk], contiguous, of the queries `rows`.
struct AttentionWeights {
  AttentionScores scores;
  std::span<const int64_t> rows;
  Tensor weights;
};
inline KernelTable<void(const AttentionWeights&)> attention_weights_kernel{"attention_weights"};

}  // namespace diagrad
