#pragma once

#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad {

/// Elements start, start + step, ... below stop along an axis; a view. Negative bounds count from
/// the end, both are cut to the axis as in Python. dx = dy there, 0 elsewhere. Throws for step < 1.
Tensor slice(const Tensor& x, int axis, int64_t start, int64_t stop, int64_t step = 1);
/// `count` equal parts along an axis. Throws when its size is not a multiple of count.
std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis);

}  // namespace diagrad
