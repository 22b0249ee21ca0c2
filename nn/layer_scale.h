#pragma once

#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct LayerScaleSpec {
  int64_t features = 0;
  double value = 1e-5;  ///< of each factor at first
};

/// y = gamma x, x [...,D], gamma [D]: at the end of a branch, which a small value keeps near the
/// identity at first. Names are timm's.
/// Source: Touvron et al., "Going deeper with image transformers", ICCV 2021, equation 3.
class LayerScale : public Module {
 public:
  explicit LayerScale(const LayerScaleSpec& spec);
  Tensor forward(const Tensor& x) override;

 private:
  Tensor gamma_;
};

}  // namespace diagrad::nn
