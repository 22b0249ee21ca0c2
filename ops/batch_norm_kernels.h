#pragma once

#include <cstdint>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// A 1x1 convolution whose result is normalised: contiguous input [...,I], weight [O,1,1,I].
struct PointwisePrologue {
  Tensor input = {};
  Tensor weight = {};
  bool defined() const { return weight.defined(); }
};

/// (O, I): whether the other kernels here take a prologue with a weight of these sizes.
inline KernelTable<bool(int64_t outputs, int64_t inputs)> pointwise_prologue_kernel{
    "conv_batch_norm_relu"};

/// y = batch_norm(x) or relu of it, all contiguous; gamma and beta may be undefined.
struct BatchNormForward {
  Tensor x, gamma, beta, mean, rstd;
  bool relu;
  Tensor y;
};
inline KernelTable<void(const BatchNormForward&)> batch_norm_forward_kernel{"batch_norm"};

/// Its gradients, each undefined where it is not needed; `accumulate`: dinput is added to.
/// Where prologue.input is undefined it is `made`, without y.
struct PointwisePrologueGradients {
  PointwisePrologue prologue = {};
  BatchNormForward made = {};
  Tensor dinput = {};
  Tensor dweight = {};
  bool accumulate = false;
};

/// Statistics of the batch. mean and rstd are f64 [C]; the running ones, in x's dtype, may
/// be undefined and are updated in place. Where there is a prologue, x is written first.
struct BatchNormStatistics {
  Tensor x, running_mean, running_var;
  double momentum, epsilon;
  Tensor mean, rstd;
  PointwisePrologue prologue = {};
};
inline KernelTable<void(const BatchNormStatistics&)> batch_norm_statistics_kernel{"batch_norm"};

/// (running_mean, running_var, epsilon, mean, rstd): the statistics of evaluation.
inline KernelTable<void(const Tensor&, const Tensor&, double, const Tensor&, const Tensor&)>
    batch_norm_running_kernel{"batch_norm"};

/// dx, dgamma, dbeta are undefined where they are not needed; dx may be dy. beta is read for
/// relu only. Where there is a prologue, its gradients are made instead of dx.
struct BatchNormBackward {
  Tensor x, dy, gamma, beta, mean, rstd;
  bool training, relu;
  Tensor dx, dgamma, dbeta;
  PointwisePrologueGradients prologue = {};
};
inline KernelTable<void(const BatchNormBackward&)> batch_norm_backward_kernel{
    "batch_norm backward"};

}  // namespace diagrad
