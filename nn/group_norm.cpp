#include "diagrad/nn/group_norm.h"

#include "diagrad/core/error.h"

namespace diagrad::nn {

GroupNorm::GroupNorm(const GroupNormSpec& spec) : spec_(spec) {
  DG_CHECK(spec.channels > 0 && spec.groups > 0 && spec.channels % spec.groups == 0,
           "GroupNorm: {} channels in {} groups; channels must be a positive multiple of groups",
           spec.channels, spec.groups);
  if (!spec.affine) return;
  weight_ = add_parameter("weight", Tensor::ones({spec.channels}));
  bias_ = add_parameter("bias", Tensor::zeros({spec.channels}));
}

Tensor GroupNorm::forward(const Tensor& x) {
  DG_CHECK(x.rank() >= 2 && x.size(-1) == spec_.channels,
           "GroupNorm: input {} is not [B,...,C] with the {} channels of the layer", x.shape(),
           spec_.channels);
  return group_norm(x, weight_, bias_, {.groups = spec_.groups, .epsilon = spec_.epsilon});
}

GroupNormSilu GroupNorm::before_silu(const Tensor& x, const Tensor& shift) const {
  return {x, weight_, bias_, shift, {.groups = spec_.groups, .epsilon = spec_.epsilon}};
}

}  // namespace diagrad::nn
