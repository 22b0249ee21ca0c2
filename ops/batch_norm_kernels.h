#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// Statistics of the batch. mean and inverse_std are f64 [C]; the running ones, in x's dtype, may
/// be undefined and are updated in place.
struct BatchNormStatistics {
  Tensor x, running_mean, running_var;
  double momentum, epsilon;
  Tensor mean, inverse_std;
};
inline KernelTable<void(const BatchNormStatistics&)> batch_norm_statistics_kernel{"batch_norm"};

/// (running_mean, running_var, epsilon, mean, inverse_std): the statistics of evaluation.
inline KernelTable<void(const Tensor&, const Tensor&, double, const Tensor&, const Tensor&)>
    batch_norm_running_kernel{"batch_norm"};

/// All contiguous; gamma and beta may be undefined.
struct BatchNormForward {
  Tensor x, gamma, beta, mean, inverse_std;
  bool relu;
  Tensor y;
};
inline KernelTable<void(const BatchNormForward&)> batch_norm_forward_kernel{"batch_norm"};

/// dx, dgamma, dbeta are undefined where they are not asked for; dx may be dy. beta is read for
/// relu only.
struct BatchNormBackward {
  Tensor x, dy, gamma, beta, mean, inverse_std;
  bool training, relu;
  Tensor dx, dgamma, dbeta;
};
inline KernelTable<void(const BatchNormBackward&)> batch_norm_backward_kernel{
    "batch_norm backward"};

}  // namespace diagrad
