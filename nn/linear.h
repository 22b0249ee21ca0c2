#pragma once

#include "diagrad/core/random.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct LinearSpec {
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
};

/// y = x weight^T + bias, x [...,I]; weight [O,I], bias [O], both U(+-1/sqrt(I)) at first.
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
