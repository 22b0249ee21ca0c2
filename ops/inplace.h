#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad {

/// In-place changes of a tensor, f32 or f64 (zero_ and copy_: any dtype): for an optimizer
/// step of your own, for buffers, for data. Nothing is recorded. They count a version, so that
/// backward through an operation that saved `dst` throws and names it. Tensor::fill_ and
/// Tensor::copy_ do the same without checks; these throw, while recording is on, where a gradient
/// would be lost: `dst` or `source` requires gradients (use NoGrad, or detach()). They also throw
/// when dtype or shape differ, and when `dst` repeats elements (the result of expand). Views that
/// overlap are read before they are written.

void add_(const Tensor& dst, const Tensor& source, double alpha = 1.0);  ///< dst += alpha source
void mul_(const Tensor& dst, const Tensor& source);                      ///< dst *= source
void mul_(const Tensor& dst, double factor);                             ///< dst *= factor
void zero_(const Tensor& dst);                                           ///< dst = 0
void copy_(const Tensor& dst, const Tensor& source);                     ///< dst = source

}  // namespace diagrad
