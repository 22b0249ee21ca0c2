#pragma once

#include "diagrad/core/tensor.h"
#include "diagrad/ops/batch_norm.h"

namespace diagrad {

/// Throws, in the name of `op`, what batch_norm says it throws.
void check_batch_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                      const Tensor& running_mean, const Tensor& running_var,
                      const BatchNormOptions& options);

}  // namespace diagrad
