#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// Either labels (with smoothing) or targets is defined; loss has one element. Per row, f64 [B]:
/// the largest logit, and the logarithm of the sum of exp(logit - largest). As one number the two
/// would lose the digits of a small loss beside large logits. All contiguous.
struct CrossEntropyForward {
  Tensor logits, labels, targets;
  double label_smoothing;
  Tensor largest, log_sums, loss;
};
inline KernelTable<void(const CrossEntropyForward&)> cross_entropy_kernel{"cross_entropy"};

/// dloss has one element; dlogits, dtargets are undefined where they are not needed.
struct CrossEntropyBackward {
  Tensor logits, labels, targets;
  double label_smoothing;
  Tensor largest, log_sums, dloss;
  Tensor dlogits, dtargets;
};
inline KernelTable<void(const CrossEntropyBackward&)> cross_entropy_backward_kernel{
    "cross_entropy backward"};

}  // namespace diagrad
