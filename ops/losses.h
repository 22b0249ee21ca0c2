#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

struct CrossEntropyOptions {
  double label_smoothing = 0.0;  ///< in [0, 1]
};

/// Softmax cross-entropy, logits [B,K], labels i64 [B]; a scalar, the mean over the batch:
///
///   loss = mean over b of  -sum over k of q[b,k] * log softmax(logits[b])[k]
///   q[b,k] = (1 - label_smoothing) * [k = labels[b]] + label_smoothing / K
///
/// dlogits = (softmax(logits) - q) / B. Computed from logits minus their largest, so that no
/// exponential overflows. Saves logits, labels, and per row the largest logit and the log of the
/// sum of exponentials. Throws for shapes and dtypes that do not fit, for an empty batch and for a
/// label outside [0, K). Source: Szegedy et al., "Rethinking the Inception architecture", CVPR
/// 2016, section 7.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels,
                     const CrossEntropyOptions& options = {});

/// The same with a distribution per row, targets [B,K] of the dtype of the logits: q = targets,
/// whose rows need not sum up to 1. dlogits = (sum_k q * softmax(logits) - q) / B,
/// dtargets = -log softmax(logits) / B. A target of 0 adds 0, also at a logit of
/// -infinity. Saves logits, targets, and per row what cross_entropy saves.
Tensor cross_entropy_soft(const Tensor& logits, const Tensor& targets);

/// mean of (x - y)^2 over all elements; x and y of equal shape. Saves both.
Tensor mse(const Tensor& x, const Tensor& y);

/// Binary cross-entropy of sigmoid(x) with targets y in [0, 1], mean over all elements:
/// |x| * (x < 0 ? y : 1 - y) + log(1 + e^-|x|), which neither overflows nor loses digits.
/// dx = (sigmoid(x) - y) / n, dy = -x / n. Saves both.
Tensor bce_with_logits(const Tensor& x, const Tensor& y);

}  // namespace diagrad
