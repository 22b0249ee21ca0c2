#pragma once

#include "diagrad/nn/module.h"
#include "diagrad/ops/group_norm.h"

namespace diagrad::nn {

struct GroupNormSpec {
  int64_t groups = 0;  ///< G, divides the channels
  int64_t channels = 0;
  double epsilon = 1e-5;
  bool affine = true;  ///< learn weight and bias
};

/// Normalises each image x [B,...,C] over all positions and the C/G channels of a group, then
/// y = weight * x + bias; weight [C] is 1 and bias [C] 0 at first, names as in PyTorch. The same in
/// training and evaluation, whatever the batch.
/// Source: Wu and He, "Group normalization", ECCV 2018.
class GroupNorm : public Module {
 public:
  explicit GroupNorm(const GroupNormSpec& spec);
  Tensor forward(const Tensor& x) override;
  /// silu(forward(x + shift)) for a layer that makes it for itself; shift [B,C] or undefined.
  GroupNormSilu before_silu(const Tensor& x, const Tensor& shift = {}) const;

 private:
  GroupNormSpec spec_;
  Tensor weight_, bias_;
};

}  // namespace diagrad::nn
