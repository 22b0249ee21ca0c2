#pragma once

#include "diagrad/nn/attention/pass.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/nn/conv2d.h"

namespace diagrad::nn {

/// The end of a post-activation residual block, x [B,H,W,C]:
///
///   z = relu(attention(norm(x)) + residual)
///
/// Attention acts at pre_add, on norm(x), or at in_norm, by factors made of x on norm's weight;
/// where it sits elsewhere in the block, z = relu(norm(x) + residual). One pass over memory
/// where attention is factors that are made of the mean (ops/bn_scale_add_relu.h); else the
/// operations one by one.
Tensor residual_end(const Tensor& x, BatchNorm2d& norm, const Tensor& residual,
                    const SiteAttention& attention);

/// residual_end(conv(x), ...) for a convolution without bias, which a 1x1 one in training shares a
/// pass with.
Tensor residual_end(const Tensor& x, Conv2d& conv, BatchNorm2d& norm, const Tensor& residual,
                    const SiteAttention& attention);

/// conv(x) with the attention of the placements around a convolution: before_conv on x,
/// after_conv2 on the result, replaces_conv instead of it, where `conv` may be null.
Tensor attended_conv(const Tensor& x, Conv2d* conv, const SiteAttention& attention);

}  // namespace diagrad::nn
