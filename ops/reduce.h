#pragma once

#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad {

struct ReduceOptions {
  std::vector<int> axes = {};  ///< counted from the end when negative; empty: all
  bool keep_dims = false;      ///< keep the reduced axes with size 1
};

struct VarOptions {
  std::vector<int> axes = {};
  bool keep_dims = false;
  bool unbiased = true;  ///< divide by n - 1 rather than n, as PyTorch does by default
};

/// The sum over axes; 0 over nothing. Sums run in double precision in chunks fixed by the shape.
/// dx = dy repeated. Saves nothing. Throws for axes that are out of range or named twice.
Tensor sum(const Tensor& x, const ReduceOptions& options = {});
/// sum / n. Throws when the axes hold no elements.
Tensor mean(const Tensor& x, const ReduceOptions& options = {});
/// sum (x - mean)^2 / (n - 1), or / n, from a mean that is not rounded to f32.
/// dx = dy 2 / (n - 1) (x - mean). Saves x and the mean, f64. Throws for too few elements.
Tensor var(const Tensor& x, const VarOptions& options = {});
/// The largest element; NaN wins. The gradient goes to the first of equal elements in row-major
/// order. Saves its place, i64. Throws when the axes hold no elements.
Tensor max(const Tensor& x, const ReduceOptions& options = {});
/// The place of the first largest element along an axis, i64. Not differentiable: it is constant
/// almost everywhere.
Tensor argmax(const Tensor& x, int axis = -1);

}  // namespace diagrad
