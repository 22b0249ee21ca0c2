#pragma once

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/batch_norm_kernels.h"

namespace diagrad {

// All tensors are contiguous, x [B,...,C]; gamma, beta and s may be undefined: 1, 0 and 1.

/// image_means f64 [B,C]: of x. Where `training`, the statistics of the batch as well. Where the
/// batch has a front, x is written first.
struct BatchNormJoinStatistics {
  BatchNormStatistics batch;
  bool training;
  Tensor image_means;
};
inline KernelTable<void(const BatchNormJoinStatistics&)> batch_norm_join_statistics_kernel{
    "batch_norm_join"};

/// Normalisation as numbers per channel.
struct ChannelNorm {
  Tensor gamma, beta, mean, inverse_std;
};

/// pooled [B,C] = (image_means - mean) * inverse_std * gamma + beta.
inline KernelTable<void(const ChannelNorm&, const Tensor& image_means, const Tensor& pooled)>
    batch_norm_join_pool_kernel{"batch_norm_join"};

/// z = relu(norm(x) * s + residual).
struct BatchNormJoinForward {
  ChannelNorm norm;
  Tensor x, s, residual;
  Tensor z;
};
inline KernelTable<void(const BatchNormJoinForward&)> batch_norm_join_forward_kernel{
    "batch_norm_join"};

/// du = dz where z > 0; image_sums f64 [2,B,C]: of du and of du * (x - centre), the centre being
/// that of BatchNormAffine; du may be dz. ds = sum du * norm(x), where it is asked for.
struct BatchNormJoinMask {
  ChannelNorm norm;
  Tensor x, z, dz;
  Tensor du, image_sums, ds;
};
inline KernelTable<void(const BatchNormJoinMask&)> batch_norm_join_mask_kernel{
    "batch_norm_join backward"};

/// From g = du * s + dpooled / positions, the gradient of norm(x). dpooled may be undefined; dx,
/// dgamma, dbeta where they are not asked for. Where there is a front, its gradients are made
/// instead of dx.
struct BatchNormJoinBackward {
  ChannelNorm norm;
  Tensor x, s, image_means;
  Tensor du, image_sums, dpooled;
  bool training;
  Tensor dx, dgamma, dbeta;
  PointwiseFrontGradients front = {};
};
inline KernelTable<void(const BatchNormJoinBackward&)> batch_norm_join_backward_kernel{
    "batch_norm_join backward"};

}  // namespace diagrad
