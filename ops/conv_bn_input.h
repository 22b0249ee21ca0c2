#pragma once

#include <memory>

#include "diagrad/autograd/node.h"
#include "diagrad/autograd/saved_tensor.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/batch_norm.h"
#include "diagrad/ops/batch_norm_kernels.h"

namespace diagrad {

/// What is normalised: `input`, or the 1x1 convolution of it with `weight`. Inputs 0 and 1 of the
/// node.
struct ConvBnInput {
  Tensor input;
  Tensor weight = {};

  /// The kernels' view of the convolution; empty where there is none.
  PointwisePrologue prologue() const;
  /// The normalised tensor x, contiguous; not yet written where there is a convolution.
  Tensor make_x() const;
  int64_t multiply_adds() const;
};

/// The result of batch_norm or batch_norm_relu from what its node saves.
struct BatchNormRecompute : autograd::Recompute {
  autograd::SavedTensor x, gamma, beta;
  Tensor mean, rstd;
  bool relu = false;
};

/// What a node keeps of the convolution: its weight and its input, or the recompute for that.
class SavedPrologue {
 public:
  explicit SavedPrologue(const ConvBnInput& bn_input);
  /// Memory for the gradients that inputs 0 and 1 want; empty where there is no convolution.
  PointwisePrologueGradients gradients(const autograd::BackwardContext& context) const;

 private:
  std::shared_ptr<const BatchNormRecompute> made_;
  autograd::SavedTensor input_;
  autograd::SavedTensor weight_;
};

/// batch_norm or batch_norm_relu as one node.
Tensor record_batch_norm(const char* op, bool relu, const ConvBnInput& bn_input,
                         const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                         const Tensor& running_var, const BatchNormOptions& options);

}  // namespace diagrad
