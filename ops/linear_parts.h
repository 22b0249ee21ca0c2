#pragma once

#include <cstdint>

#include "diagrad/core/tensor.h"

// The passes of a linear layer without a graph, for operations that have one inside: x [...,I],
// w [O,I], bias [O] or undefined, y [...,O].

namespace diagrad {

/// Throws for sizes and dtypes that do not fit, beginning with `op`.
void check_linear(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias);
int64_t linear_multiply_adds(const Tensor& x, const Tensor& w);

/// x w^T + bias.
Tensor linear_product(const Tensor& x, const Tensor& w, const Tensor& bias);
/// dy w, of the shape of x.
Tensor input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape);
/// dy^T x.
Tensor weight_gradient(const Tensor& dy, const Tensor& x);
/// The sum of the rows of dy.
Tensor bias_gradient(const Tensor& dy);

}  // namespace diagrad
