#include "diagrad/nn/attention/residual_end.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"

namespace diagrad::nn {
namespace {

/// The last layers of a branch: norm(conv(x)), or norm(x) where there is no convolution.
struct Branch {
  const Tensor& x;
  Conv2d* conv;
  BatchNorm2d& norm;

  Tensor before_norm() const { return conv != nullptr ? conv->forward(x) : x; }
  BnScaleAddRelu epilogue(bool pool) const {
    return conv != nullptr ? norm.residual_epilogue(*conv, x, pool)
                           : norm.residual_epilogue(x, pool);
  }
};

/// Attention on the normalised branch.
Tensor end_pre_add(const Branch& branch, const Tensor& residual, const SiteAttention& attention) {
  if (attention.needs_mean_only()) {
    BnScaleAddRelu epilogue = branch.epilogue(/*pool=*/true);
    const Tensor s = attention.factors_of_mean(epilogue.pooled());
    return epilogue.scale_add_relu(s, residual);
  }
  const Tensor y = branch.norm.forward(branch.before_norm());
  if (attention.form() == Form::vector) {
    return channel_scale_add_relu(y, attention.factors(y), residual);
  }
  return relu(add(attention.apply(y), residual));
}

Tensor end_of(const Branch& branch, const Tensor& residual, const SiteAttention& attention) {
  if (attention.is_at(Placement::pre_add)) return end_pre_add(branch, residual, attention);
  if (attention.is_at(Placement::in_norm)) {
    const Tensor y = branch.before_norm();
    return relu(add(branch.norm.forward_scaled(y, attention.factors(y)), residual));
  }
  return branch.epilogue(/*pool=*/false).add_relu(residual);
}

}  // namespace

Tensor residual_end(const Tensor& x, BatchNorm2d& norm, const Tensor& residual,
                    const SiteAttention& attention) {
  return end_of({x, nullptr, norm}, residual, attention);
}

Tensor residual_end(const Tensor& x, Conv2d& conv, BatchNorm2d& norm, const Tensor& residual,
                    const SiteAttention& attention) {
  return end_of({x, &conv, norm}, residual, attention);
}

Tensor attended_conv(const Tensor& x, Conv2d* conv, const SiteAttention& attention) {
  if (attention.is_at(Placement::replaces_conv)) return attention.apply(x);
  DG_ASSERT(conv != nullptr, "attention: a convolution is missing that nothing replaces");
  const Tensor y = conv->forward(attention.apply_at(Placement::before_conv, x));
  return attention.apply_at(Placement::after_conv2, y);
}

}  // namespace diagrad::nn
