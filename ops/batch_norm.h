#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1;  ///< weight of the new batch in the running statistics
  double epsilon = 1e-5;  ///< added to the variance
};

/// Normalises each channel over all other axes, x [...,C] of rank >= 2, N = numel / C:
///
///   y = gamma * (x - mean) / sqrt(var + epsilon) + beta
///
/// training:   mean and var are those of the batch, var = sum (x - mean)^2 / N; the running
///             statistics move in place: running += momentum * (batch - running), with the
///             unbiased variance N / (N - 1) * var, as in PyTorch.
/// evaluation: mean and var are the running statistics.
///
/// gamma, beta [C] may be undefined (1 and 0), running_mean, running_var [C] too when training.
/// Saves x, gamma, beta, mean and 1/sqrt(var + epsilon). Derivative: docs/notes/batch_norm.md.
/// Throws for shapes and dtypes that do not fit, for fewer than two values per channel when
/// training and for missing running statistics otherwise. Source: Ioffe and Szegedy, "Batch
/// normalization", ICML 2015, algorithm 1.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options = {});

/// relu(batch_norm(...)) without writing what lies between. Saves the same; the mask of the
/// derivative is computed again from x.
Tensor batch_norm_relu(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                       const Tensor& running_mean, const Tensor& running_var,
                       const BatchNormOptions& options = {});

}  // namespace diagrad
