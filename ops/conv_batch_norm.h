#pragma once

#include "diagrad/core/tensor.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/conv2d.h"

namespace diagrad {

/// A convolution without bias whose result is normalised.
struct Convolution {
  Tensor weight;  ///< [O,kh,kw,I/groups]
  Conv2dOptions options = {};
};

/// batch_norm_relu(conv2d(x, convolution.weight, convolution.options), ...). In training a 1x1
/// convolution is made in one operation with its normalisation: the statistics are taken of rows
/// that are still in cache, and the gradient of its result is used as it is made and never
/// written. Else the two operations follow each other. Saves x, the weight, the convolution's
/// result, gamma, beta and the statistics; where x is the result of batch_norm or batch_norm_relu,
/// it is made again from what that saves instead. Throws as they do.
Tensor conv_batch_norm_relu(const Tensor& x, const Convolution& convolution, const Tensor& gamma,
                            const Tensor& beta, const Tensor& running_mean,
                            const Tensor& running_var, const BatchNormOptions& options = {});

/// Whether that is one operation.
bool fuses_with_batch_norm(const Convolution& convolution, const BatchNormOptions& options);

}  // namespace diagrad
