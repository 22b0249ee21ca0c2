#pragma once

#include "diagrad/core/random.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/layer_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/activation.h"

namespace diagrad::nn {

struct MlpSpec {
  int64_t features = 0;  ///< D, in and out
  int64_t hidden = 0;
  GeluForm gelu = GeluForm::exact;
  double dropout = 0.0;  ///< after the activation and after the second layer
  LinearInit init = LinearInit::truncated_normal;
};

/// The feed-forward part of a transformer, x [...,D]: dropout(fc2(dropout(gelu(fc1(x))))). Names
/// are timm's. Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.3.
class Mlp : public Module {
 public:
  Mlp(const MlpSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& x) override;
  /// forward(norm(x)), without keeping norm(x).
  Tensor forward_normalized(const Tensor& x, LayerNorm& norm);

 private:
  /// What follows the first layer.
  Tensor finished(const Tensor& y);

  GeluForm gelu_;
  double dropout_p_;
  std::shared_ptr<Linear> fc1_, fc2_;
  std::shared_ptr<Dropout> dropout_;
};

}  // namespace diagrad::nn
