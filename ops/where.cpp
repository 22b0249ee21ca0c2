#include "diagrad/ops/where.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/expand.h"
#include "diagrad/ops/where_kernels.h"

namespace diagrad {
namespace {

void where_cpu(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_floating(a.dtype(), "where", [&](auto tag) {
    using T = typename decltype(tag)::type;
    elementwise<T, uint8_t, T, T>(
        y, [](uint8_t chosen, T v, T w) { return chosen != 0 ? v : w; }, condition, a, b);
  });
}

template <typename T, typename Compare>
void compare_as(Compare compare, const Tensor& a, const Tensor& b, const Tensor& y) {
  elementwise<uint8_t, T, T>(
      y, [compare](T v, T w) { return static_cast<uint8_t>(compare(v, w)); }, a, b);
}

void compare_cpu(Comparison comparison, const Tensor& a, const Tensor& b, const Tensor& y) {
  const auto run = [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (comparison) {
      case Comparison::equal:
        return compare_as<T>([](T v, T w) { return v == w; }, a, b, y);
      case Comparison::greater:
        return compare_as<T>([](T v, T w) { return v > w; }, a, b, y);
      case Comparison::less:
        return compare_as<T>([](T v, T w) { return v < w; }, a, b, y);
    }
  };
  if (a.dtype() == DType::i64) return run(TypeTag<int64_t>{});
  dispatch_floating(a.dtype(), "compare", run);
}

[[maybe_unused]] const bool registered = where_kernel.set(DeviceType::cpu, where_cpu) &&
                                         compare_kernel.set(DeviceType::cpu, compare_cpu);

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
