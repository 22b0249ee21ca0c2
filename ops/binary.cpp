#include "diagrad/ops/binary.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/binary_kernels.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/unary.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

Tensor compute(BinaryFunction function, const Tensor& a, const Tensor& b) {
  const Tensor y = Tensor::empty_like(a);
  binary_kernel.on(a.device())(function, a, b, y);
  return y;
}

struct Operands {
  Tensor a, b;
};

/// Both sides expanded to the common shape, so that derivatives never reduce by hand.
Operands broadcast(const char* name, const Tensor& a, const Tensor& b) {
  DG_CHECK(a.dtype() == b.dtype(), "{}: dtypes {} and {} differ, shapes {} and {}; use cast", name,
           a.dtype(), b.dtype(), a.shape(), b.shape());
  DG_CHECK(a.dtype() == DType::f32 || a.dtype() == DType::f64,
           "{}: needs f32 or f64 tensors, got {}, shapes {} and {}; convert them with Tensor::to",
           name, a.dtype(), a.shape(), b.shape());
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  return {expand(a, shape), expand(b, shape)};
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  const Operands in = broadcast("add", a, b);
  return autograd::record({"add"}, {in.a, in.b}, compute(BinaryFunction::add, in.a, in.b),
                          [](const BackwardContext& context) {
                            return Gradients{context.gradient(), context.gradient()};
                          });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  const Operands in = broadcast("sub", a, b);
  return autograd::record({"sub"}, {in.a, in.b}, compute(BinaryFunction::sub, in.a, in.b),
                          [](const BackwardContext& context) {
                            const Tensor dy = context.gradient();
                            return Gradients{dy, context.needs(1) ? neg(dy) : Tensor()};
                          });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  const Operands in = broadcast("mul", a, b);
  return autograd::record(
      {"mul"}, {in.a, in.b}, compute(BinaryFunction::mul, in.a, in.b),
      [a = SavedTensor(in.a), b = SavedTensor(in.b)](const BackwardContext& context) {
        const Tensor dy = context.gradient();
        const auto times = [&](const SavedTensor& other) {
          return compute(BinaryFunction::mul, dy, other.get(context));
        };
        return Gradients{context.needs(0) ? times(b) : Tensor(),
                         context.needs(1) ? times(a) : Tensor()};
      });
}

Tensor div(const Tensor& a, const Tensor& b) {
  const Operands in = broadcast("div", a, b);
  const Tensor y = compute(BinaryFunction::div, in.a, in.b);
  return autograd::record(
      {"div"}, {in.a, in.b}, y,
      [y = SavedTensor(y), b = SavedTensor(in.b)](const BackwardContext& context) {
        const Tensor da = compute(BinaryFunction::div, context.gradient(), b.get(context));
        return Gradients{da, context.needs(1)
                                 ? neg(compute(BinaryFunction::mul, da, y.get(context)))
                                 : Tensor()};
      });
}

Tensor add(const Tensor& a, double b) {
  return affine(a, 1.0, b);
}
Tensor sub(const Tensor& a, double b) {
  return affine(a, 1.0, -b);
}
Tensor mul(const Tensor& a, double b) {
  return affine(a, b, -0.0);  // adding 0 would turn a product of -0 into 0
}
Tensor div(const Tensor& a, double b) {
  DG_CHECK(a.dtype() == DType::f32 || a.dtype() == DType::f64,
           "div: needs an f32 or f64 tensor, got {} {}; convert it with Tensor::to", a.dtype(),
           a.shape());
  // Not a product with 1 / b, which rounds twice and is infinite for a small b.
  const auto divided = [b](const Tensor& x) {
    Shape strides = x.shape();
    for (int axis = 0; axis < x.rank(); ++axis) strides[axis] = 0;
    const Tensor divisor = Tensor::full({}, b, x.dtype(), x.device()).strided(x.shape(), strides);
    return compute(BinaryFunction::div, x, divisor);
  };
  return autograd::record({"div"}, {a}, divided(a), [divided](const BackwardContext& context) {
    return Gradients{divided(context.gradient())};
  });
}
Tensor operator-(double a, const Tensor& b) {
  return affine(b, -1.0, a);
}
Tensor operator-(const Tensor& a) {
  return neg(a);
}

}  // namespace diagrad
