#include "diagrad/nn/layer_norm.h"

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
  DG_CHECK(x.rank() >= 1 && x.size(-1) == spec_.features,
           "LayerNorm: input {} does not end in the {} features of the layer", x.shape(),
           spec_.features);
  return layer_norm(x, weight_, bias_, spec_.epsilon);
}

}  // namespace diagrad::nn
