#pragma once

#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

/// into = a + b for gradients of one shape and floating-point dtype, bf16 added in f32; `into` may
/// be one of them. Returns `into`.
Tensor add_gradients(const Tensor& a, const Tensor& b, const Tensor& into);

}  // namespace diagrad::autograd
