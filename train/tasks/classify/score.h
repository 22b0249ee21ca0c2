#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::train {

/// What a batch of logits [B,K] (f32 or f64) says beside its labels i64 [B].
struct Score {
  double loss_sum = 0.0;           ///< of -log softmax(logits)[label], in double precision
  int64_t correct = 0;             ///< largest logit at the label; of equal ones the first counts
  std::vector<int64_t> predicted;  ///< [B]
};

/// Throws Error(data) for a label that the model has no output for.
Score score(const Tensor& logits, const Tensor& labels);

/// How many of the labels have the largest logit of their row; of equal ones the first counts.
int64_t count_correct(const Tensor& logits, const Tensor& labels);

}  // namespace diagrad::train
