#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::testing {

/// One number per axis. References of shape operations are written with these: an index in, an
/// index out, no strides.
using Index = std::vector<int64_t>;

/// The index of the element at `position` in row-major order.
Index index_at(const Shape& shape, int64_t position);

/// The value of a contiguous f64 (or u8, or i64) tensor at an index.
double value_at(const Tensor& x, const Index& index);

/// As value_at for an index into the shape that `x` broadcasts to: aligned right, axes of size 1
/// repeat.
double broadcast_value(const Tensor& x, const Index& index);

/// A contiguous f64 tensor with value(index) at each index.
Tensor tensor_of(const Shape& shape, const std::function<double(const Index&)>& value);

/// Moves values that are closer than `gap` to one of `kinks` just above it.
Tensor away_from(const Tensor& x, std::initializer_list<double> kinks, double gap = 0.01);

}  // namespace diagrad::testing
