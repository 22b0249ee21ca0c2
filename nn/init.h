#pragma once

#include "diagrad/core/random.h"
#include "diagrad/core/tensor.h"

/// First weights, f32, drawn from consecutive counters of `random`.
namespace diagrad::nn::init {

/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default for linear and convolution layers.
Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, RandomStream& random);
/// N(0, 2 / fan). Source: He et al., "Delving deep into rectifiers", ICCV 2015.
Tensor kaiming_normal(const Shape& shape, int64_t fan, RandomStream& random);
/// U(-b, b) with b = sqrt(6 / (fan_in + fan_out)). Source: Glorot and Bengio, AISTATS 2010.
Tensor xavier_uniform(const Shape& shape, int64_t fan_in, int64_t fan_out, RandomStream& random);
/// N(0, standard_deviation^2) without what lies beyond two standard deviations, drawn again.
Tensor truncated_normal(const Shape& shape, double standard_deviation, RandomStream& random);

}  // namespace diagrad::nn::init
