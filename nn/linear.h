#pragma once

#include "diagrad/core/random.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

enum class LinearInit {
  fan_in_uniform,    ///< U(+-1/sqrt(I)), the bias too: PyTorch's default
  truncated_normal,  ///< N(0, 0.02^2) within +-2, the bias 0: timm's transformers
  zeros,             ///< the bias too: last layers of residual branches
};

struct LinearSpec {
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
  LinearInit init = LinearInit::fan_in_uniform;
};

/// y = x weight^T + bias, x [...,I]; weight [O,I], bias [O].
class Linear : public Module {
 public:
  Linear(const LinearSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& x) override;

  const Tensor& weight() const { return weight_; }
  /// Undefined without one.
  const Tensor& bias() const { return bias_; }

 private:
  Tensor weight_;
  Tensor bias_;
};

}  // namespace diagrad::nn
