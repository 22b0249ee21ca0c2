#include "diagrad/autograd/accumulate.h"

#include "diagrad/core/elementwise.h"

namespace diagrad::autograd {

Tensor add_gradients(const Tensor& a, const Tensor& b, const Tensor& into) {
  if (a.dtype() == DType::bf16) {
    elementwise<bfloat16, bfloat16, bfloat16>(
        into,
        [](bfloat16 x, bfloat16 y) {
          return bfloat16(static_cast<float>(x) + static_cast<float>(y));
        },
        a, b);
    return into;
  }
  dispatch_floating(a.dtype(), "gradient accumulation", [&](auto tag) {
    using T = typename decltype(tag)::type;
    elementwise<T, T, T>(
        into, [](T x, T y) { return x + y; }, a, b);
  });
  return into;
}

}  // namespace diagrad::autograd
