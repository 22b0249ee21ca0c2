#pragma once

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

 private:
  LayerNormSpec spec_;
  Tensor weight_, bias_;
};

}  // namespace diagrad::nn
