#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// Either labels (with smoothing) or targets is defined; log_sums is f64 [B], the logarithm of the
/// sum of exponentials of each row; loss has one element. All contiguous.
struct CrossEntropyForward {
  Tensor logits, labels, targets;
  double label_smoothing;
  Tensor log_sums, loss;
};
inline KernelTable<void(const CrossEntropyForward&)> cross_entropy_kernel{"cross_entropy"};

/// dloss has one element; dlogits, dtargets are undefined where they are not needed.
struct CrossEntropyBackward {
  Tensor logits, labels, targets;
  double label_smoothing;
  Tensor log_sums, dloss;
  Tensor dlogits, dtargets;
};
inline KernelTable<void(const CrossEntropyBackward&)> cross_entropy_backward_kernel{
    "cross_entropy backward"};

}  // namespace diagrad
