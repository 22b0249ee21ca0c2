#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/batch_norm_kernels.h"

namespace diagrad {

// All tensors are contiguous, x [B,...,C]; gamma, beta and s may be undefined: 1, 0 and 1.

/// image_means f64 [B,C]: of x. Where `training`, the statistics of the batch as well. Where the
/// batch has a prologue, x is written first.
struct BnScaleAddReluStatistics {
  BatchNormStatistics batch;
  bool training;
  Tensor image_means;
};
inline KernelTable<void(const BnScaleAddReluStatistics&)> bn_scale_add_relu_statistics_kernel{
    "bn_scale_add_relu"};

/// Normalisation as numbers per channel.
struct ChannelNorm {
  Tensor gamma, beta, mean, rstd;
};

/// pooled [B,C] = (image_means - mean) * rstd * gamma + beta.
inline KernelTable<void(const ChannelNorm&, const Tensor& image_means, const Tensor& pooled)>
    bn_scale_add_relu_pool_kernel{"bn_scale_add_relu"};

/// z = relu(norm(x) * s + residual).
struct BnScaleAddReluForward {
  ChannelNorm norm;
  Tensor x, s, residual;
  Tensor z;
};
inline KernelTable<void(const BnScaleAddReluForward&)> bn_scale_add_relu_forward_kernel{
    "bn_scale_add_relu"};

/// du = dz where z > 0; image_sums f64 [2,B,C]: of du and of du * (x - pivot), the pivot being
/// that of BatchNormAffine; du may be dz. ds = sum du * norm(x), where it is needed.
struct BnScaleAddReluMask {
  ChannelNorm norm;
  Tensor x, z, dz;
  Tensor du, image_sums, ds;
};
inline KernelTable<void(const BnScaleAddReluMask&)> bn_scale_add_relu_mask_kernel{
    "bn_scale_add_relu backward"};

/// From g = du * s + dpooled / positions, the gradient of norm(x). dpooled may be undefined; dx,
/// dgamma, dbeta where they are not needed. Where there is a prologue, its gradients are made
/// instead of dx.
struct BnScaleAddReluBackward {
  ChannelNorm norm;
  Tensor x, s, image_means;
  Tensor du, image_sums, dpooled;
  bool training;
  Tensor dx, dgamma, dbeta;
  PointwisePrologueGradients prologue = {};
};
inline KernelTable<void(const BnScaleAddReluBackward&)> bn_scale_add_relu_backward_kernel{
    "bn_scale_add_relu backward"};

}  // namespace diagrad
