#pragma once

#include "diagrad/core/random.h"
#include "diagrad/core/tensor.h"

/// First weights, f32, drawn from consecutive counters of `random`. A fan is the number of terms
/// that one output sums (fan in) or one input feeds (fan out).
namespace diagrad::nn::init {

struct Fans {
  int64_t in = 0;
  int64_t out = 0;
};
/// Of a weight [O,...,I]: in = ...*I, out = ...*O, so kh*kw*I/groups and kh*kw*O for a convolution,
/// as PyTorch counts them. Throws for a rank below 2.
Fans fans_of(const Shape& weight);

/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default for linear and convolution layers, their
/// biases included.
Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, RandomStream& random);

/// Variance factor / fan, so that a layer keeps the size of activations (fan in) or of gradients
/// (fan out). The factor makes up for what follows the layer: 2 for a ReLU, 1 for nothing; it is
/// the square of PyTorch's gain.
/// Source: He et al., "Delving deep into rectifiers", ICCV 2015, equations 10 and 14.
Tensor kaiming_normal(const Shape& shape, int64_t fan, RandomStream& random, double factor = 2.0);
/// U(-b, b) with b = sqrt(3 factor / fan): the same variance.
Tensor kaiming_uniform(const Shape& shape, int64_t fan, RandomStream& random, double factor = 2.0);

/// Variance 2 factor / (fan_in + fan_out): between the two above.
/// Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
/// networks", AISTATS 2010, equation 16.
Tensor xavier_normal(const Shape& shape, Fans fans, RandomStream& random, double factor = 1.0);
/// U(-b, b) with b = sqrt(6 factor / (fan_in + fan_out)): the same variance.
Tensor xavier_uniform(const Shape& shape, Fans fans, RandomStream& random, double factor = 1.0);

/// N(0, standard_deviation^2) without what lies beyond `cut` standard deviations, drawn again: the
/// remaining variance is smaller, 0.774 of the full one at cut 2. Throws for a cut below 0.1.
Tensor truncated_normal(const Shape& shape, double standard_deviation, RandomStream& random,
                        double cut = 2.0);

/// N(0, 0.02^2) without what lies beyond +-2, which is a hundred standard deviations: first weights
/// and positions of timm's vision transformers.
Tensor transformer_normal(const Shape& shape, RandomStream& random);

}  // namespace diagrad::nn::init
