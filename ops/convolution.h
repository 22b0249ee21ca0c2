#pragma once

#include "diagrad/core/tensor.h"
#include "diagrad/ops/conv2d.h"
#include "diagrad/ops/conv2d_kernels.h"

namespace diagrad {

/// What conv1d and conv2d share once their arguments are checked: runs the forward kernel into a
/// tensor of shape `output` and records `name` with its derivative. Tensors may have any strides.
Tensor record_convolution(const char* name, const ConvGeometry& geometry, const Tensor& x,
                          const Tensor& w, const Tensor& bias, const Shape& output);

/// Common checks of a convolution: dtypes, devices, channels, groups and the bias.
void check_convolution(const char* name, const Tensor& x, const Tensor& w, const Tensor& bias,
                       int64_t groups);

/// Those and the ranks of conv2d.
void check_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, int64_t groups);

/// The geometry of conv2d for arguments that these checks have passed; throws, beginning with
/// `name`, when the kernel does not fit or a number is out of range.
ConvGeometry conv2d_geometry(const char* name, const Tensor& x, const Tensor& w,
                             const Conv2dOptions& options);

/// Kernels may copy all that they reach of an image, border included: throws where what they
/// compute of these sizes would not stay within 63 bits.
void check_reach(const char* name, const ConvGeometry& geometry);

/// Size of an output axis; throws when the kernel does not fit or a number is out of range.
int64_t convolution_size(const char* name, const char* axis, int64_t input, int64_t kernel,
                         int64_t stride, int64_t padding, int64_t dilation);

/// The same stride, or a smaller one that gives the same single output: what reaches beyond the
/// padded image may be as large as int64_t holds. After convolution_size().
int64_t reachable_stride(int64_t input, int64_t stride, int64_t padding);

}  // namespace diagrad
