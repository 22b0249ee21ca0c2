#include "diagrad/nn/linear.h"

#include "diagrad/core/error.h"
#include "diagrad/nn/init.h"
#include "diagrad/ops/linear.h"

namespace diagrad::nn {

Linear::Linear(const LinearSpec& spec, RandomStream& random) {
  const auto& [in, out, bias, init] = spec;
  DG_CHECK(in > 0 && out > 0, "Linear: {} to {} features; both must be positive", in, out);
  if (init != LinearInit::fan_in_uniform) {
    weight_ = add_parameter("weight", init == LinearInit::zeros
                                          ? Tensor::zeros({out, in})
                                          : init::transformer_normal({out, in}, random));
    if (bias) bias_ = add_parameter("bias", Tensor::zeros({out}));
    return;
  }
  weight_ = add_parameter("weight", init::fan_in_uniform({out, in}, in, random));
  if (bias) bias_ = add_parameter("bias", init::fan_in_uniform({out}, in, random));
}

Tensor Linear::forward(const Tensor& x) {
  return linear(x, weight_, bias_);
}

}  // namespace diagrad::nn
