#include "diagrad/nn/layer_scale.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/binary.h"

namespace diagrad::nn {

LayerScale::LayerScale(const LayerScaleSpec& spec) {
  DG_CHECK(spec.features > 0, "LayerScale: {} features; must be positive", spec.features);
  gamma_ = add_parameter("gamma", Tensor::full({spec.features}, spec.value));
}

Tensor LayerScale::forward(const Tensor& x) {
  DG_CHECK(x.rank() >= 1 && x.size(-1) == gamma_.size(0),
           "LayerScale: input {} does not end in the {} features of the layer", x.shape(),
           gamma_.size(0));
  return mul(x, gamma_);
}

}  // namespace diagrad::nn
