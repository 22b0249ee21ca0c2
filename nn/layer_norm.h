#pragma once

#include "diagrad/nn/linear.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct LayerNormSpec {
  int64_t features = 0;
  double epsilon = 1e-5;
  bool affine = true;  ///< learn weight and bias
};

/// Normalises each row x [...,D] over its D features, then y = weight * x + bias; weight [D] is 1
/// and bias [D] 0 at first, names as in PyTorch. The same in training and evaluation.
/// Source: Ba, Kiros, Hinton, "Layer normalization", 2016, equation 3.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const LayerNormSpec& spec);
  Tensor forward(const Tensor& x) override;
  /// next(forward(x)), to the bit; what lies between is computed again in backward instead of kept.
  Tensor forward_into(const Tensor& x, Linear& next);

 private:
  void check_features(const Tensor& x) const;

  LayerNormSpec spec_;
  Tensor weight_, bias_;
};

}  // namespace diagrad::nn
