#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"

namespace diagrad {

struct GroupNormOptions {
  int64_t groups = 1;
  double epsilon = 1e-5;  ///< added to the variance
};

/// Normalises each image over all positions and the channels of a group, x [B,...,C] of rank >= 2,
/// G groups of C/G neighbouring channels:
///
///   y = gamma * (x - mean[b,g]) / sqrt(var[b,g] + epsilon) + beta
///
/// with the biased variance. gamma, beta [C] may be undefined (1 and 0). Saves x, gamma, mean and
/// 1/sqrt(var + epsilon). Derivative: docs/notes/group_norm.md. Throws for shapes and dtypes that
/// do not fit and for groups that do not divide C.
/// Source: Wu and He, "Group normalization", ECCV 2018, equations 1-3 and 7.
Tensor group_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const GroupNormOptions& options);

}  // namespace diagrad
