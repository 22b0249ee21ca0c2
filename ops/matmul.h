#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

struct MatmulOptions {
  bool transpose_a = false;  ///< a is [...,K,M]
  bool transpose_b = false;  ///< b is [...,N,K]
};

/// Matrix product over the last two axes: a [...,M,K], b [...,K,N], result [...,M,N]; the axes
/// before them broadcast. Row- and column-major operands (a transposed view) are read in place.
/// Saves both. Throws for ranks below 2, inner sizes that differ, other dtypes than f32 and f64.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

}  // namespace diagrad
