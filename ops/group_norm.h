#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"
#include "diagrad/ops/conv2d.h"

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

/// The activations silu(group_norm(x + shift, gamma, beta, options)) that another operation makes
/// for itself: x [B,H,W,C], shift [B,C] the same at all positions.
struct GroupNormSilu {
  Tensor x;
  Tensor gamma, beta;  ///< may be undefined
  Tensor shift = {};   ///< may be undefined: 0
  GroupNormOptions options = {};
};

/// conv2d(activations, w, bias, options): neither x + shift nor the activations are kept. Saves x,
/// shift, gamma, beta, w and the statistics; backward makes the activations again and adds the
/// gradient of x to that of a residual path where that came first. With one channel a group the
/// gradient of shift is zero. f32 in MathMode::fast as conv2d. Throws as group_norm and conv2d do.
Tensor group_norm_silu_conv2d(const GroupNormSilu& activations, const Tensor& w, const Tensor& bias,
                              const Conv2dOptions& options = {});

}  // namespace diagrad
