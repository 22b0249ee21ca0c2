#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// a where condition (u8) is not 0, else b; all three broadcast. da = dy where it holds, db = dy
/// where not. Saves the condition. Throws when a and b differ in dtype or condition is not u8.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

/// Comparisons with broadcasting, u8; not differentiable: they are constant almost everywhere.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);

}  // namespace diagrad
