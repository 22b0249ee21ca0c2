#pragma once

#include <memory>

#include "diagrad/core/tensor.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/conv_batch_norm.h"

namespace diagrad {

struct ConvBnInput;

/// The end of a residual block, z = relu(batch_norm(x) * s + residual), x [B,...,C], with factors
/// s [B,C] that may depend on the pooled activations, without writing batch_norm(x):
///
///     BnScaleAddRelu join(x, gamma, beta, running_mean, running_var, options);
///     Tensor s = attention(join.pooled());      // any differentiable function, or none
///     Tensor z = join.scale_add_relu(s, residual);
///
/// Normalisation is affine in x, so its image means follow from those of x, which the pass for
/// the batch's statistics gives. Forward reads x twice and the residual once; backward reads x
/// twice, where the operations one by one read or write a tensor of x's size eight times more.
/// Saves x, z, gamma, beta, s and some vectors. Derivative: docs/notes/batch_norm.md, "With factors
/// and a residual". The gradient that crosses the graph between the two parts is that of z behind
/// the relu; its factors s are applied in the second part.
///
/// Arguments, running statistics and what throws: as batch_norm; also factors or a residual of
/// other shapes or dtypes, and a second z from one object.
class BnScaleAddRelu {
 public:
  BnScaleAddRelu(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                 const Tensor& running_mean, const Tensor& running_var,
                 const BatchNormOptions& options = {}, bool pool = true);
  /// The same with conv2d(x, convolution) for x; one operation where conv_batch_norm_relu is one.
  BnScaleAddRelu(const Tensor& x, const Convolution& convolution, const Tensor& gamma,
                 const Tensor& beta, const Tensor& running_mean, const Tensor& running_var,
                 const BatchNormOptions& options = {}, bool pool = true);

  /// global_avg_pool(batch_norm(x)), [B,C]; undefined where `pool` was false.
  const Tensor& pooled() const { return pooled_; }
  Tensor scale_add_relu(const Tensor& s, const Tensor& residual);
  /// Without factors: relu(batch_norm(x) + residual).
  Tensor add_relu(const Tensor& residual);

 private:
  struct Shared;
  void begin(const ConvBnInput& bn_input, const Tensor& gamma, const Tensor& beta,
             const Tensor& running_mean, const Tensor& running_var, const BatchNormOptions& options,
             bool pool);
  Tensor finish(const Tensor& s, const Tensor& residual);

  Tensor x_;  ///< stands for batch_norm(x) in the graph
  Tensor pooled_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace diagrad
