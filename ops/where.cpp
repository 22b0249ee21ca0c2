#include "diagrad/ops/where.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/where_kernels.h"

namespace diagrad {
namespace {

Tensor compared(const char* name, Comparison comparison, const Tensor& a, const Tensor& b) {
  DG_CHECK(a.dtype() == b.dtype(), "{}: dtypes {} and {} differ, shapes {} and {}; use cast", name,
           a.dtype(), b.dtype(), a.shape(), b.shape());
  DG_CHECK(
      a.dtype() == DType::f32 || a.dtype() == DType::f64 || a.dtype() == DType::i64,
      "{}: needs f32, f64 or i64 tensors, got {}, shapes {} and {}; convert them with Tensor::to",
      name, a.dtype(), a.shape(), b.shape());
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  const Tensor y = Tensor::empty(shape, DType::u8, a.device());
  compare_kernel.on(a.device())(comparison, expand(a, shape), expand(b, shape), y);
  return y;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  DG_CHECK(condition.dtype() == DType::u8 && a.dtype() == b.dtype(),
           "where: needs a u8 condition and values of one dtype, got {}, {} and {}",
           condition.dtype(), a.dtype(), b.dtype());
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  const Tensor chosen = expand(condition, shape);
  const Tensor from_a = expand(a, shape);
  const Tensor from_b = expand(b, shape);
  const Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  where_kernel.on(a.device())(chosen, from_a, from_b, y);
  return autograd::record(
      {"where"}, {from_a, from_b}, y,
      [chosen = autograd::SavedTensor(chosen)](const autograd::BackwardContext& context) {
        const Tensor dy = context.gradient();
        const Tensor zero = Tensor::zeros(Shape{}, dy.dtype(), dy.device());
        const Tensor zeros = expand(zero, dy.shape());
        const auto masked = [&](const Tensor& v, const Tensor& w) {
          const Tensor dx = Tensor::empty_like(dy);
          where_kernel.on(dy.device())(chosen.get(context), v, w, dx);
          return dx;
        };
        return autograd::Gradients{context.needs(0) ? masked(dy, zeros) : Tensor(),
                                   context.needs(1) ? masked(zeros, dy) : Tensor()};
      });
}

Tensor equal(const Tensor& a, const Tensor& b) {
  return compared("equal", Comparison::equal, a, b);
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return compared("greater", Comparison::greater, a, b);
}
Tensor less(const Tensor& a, const Tensor& b) {
  return compared("less", Comparison::less, a, b);
}

}  // namespace diagrad
