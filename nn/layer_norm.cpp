#include "diagrad/nn/layer_norm.h"

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/layer_norm.h"

namespace diagrad::nn {

LayerNorm::LayerNorm(const LayerNormSpec& spec) : spec_(spec) {
  DG_CHECK(spec.features > 0, "LayerNorm: {} features; must be positive", spec.features);
  if (!spec.affine) return;
  weight_ = add_parameter("weight", Tensor::ones({spec.features}));
  bias_ = add_parameter("bias", Tensor::zeros({spec.features}));
}

Tensor LayerNorm::forward(const Tensor& x) {
  check_features(x);
  return layer_norm(x, weight_, bias_, spec_.epsilon);
}

Tensor LayerNorm::forward_into(const Tensor& x, Linear& next) {
  // Without a graph nothing is kept, and two operations say more to those who watch.
  if (!grad_enabled()) return next.forward(forward(x));
  check_features(x);
  return layer_norm_linear(x, weight_, bias_, next.weight(), next.bias(), spec_.epsilon);
}

void LayerNorm::check_features(const Tensor& x) const {
  DG_CHECK(x.rank() >= 1 && x.size(-1) == spec_.features,
           "LayerNorm: input {} does not end in the {} features of the layer", x.shape(),
           spec_.features);
}

}  // namespace diagrad::nn
