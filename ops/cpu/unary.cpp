#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/unary_kernels.h"

namespace diagrad {
namespace {

/// Whether a functor's value and derivative are templates, which take vectors.
template <typename F>
concept ValueOnVectors = requires(const F& f, Vec<float> x) {
  f.value(x);
};
template <typename F>
concept DerivativeOnVectors = requires(const F& f, Vec<float> x) {
  f.derivative(x);
};
template <typename F, typename T>
concept SelectsGradient = requires(const F& f, T x) {
  f.gradient(x, x);
};

template <typename F, typename V>
V gradient_of(const F& f, V v, V dy) {
  if constexpr (SelectsGradient<F, V>) {
    return f.gradient(v, dy);
  } else {
    return dy * f.derivative(v);
  }
}

void unary_cpu(UnaryFunction function, double a, double b, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "unary", [&](auto tag) {
    using T = typename decltype(tag)::type;
    unary::visit<T>(function, a, b, [&](auto f) {
      const auto value = [f](auto v) { return f.value(v); };
      if constexpr (ValueOnVectors<decltype(f)>) {
        elementwise_math<T>(y, value, x);
      } else {
        elementwise<T, T>(y, value, x);
      }
    });
  });
}

void unary_backward_cpu(UnaryFunction function, double a, double b, const Tensor& saved,
                        const Tensor& dy, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "unary", [&](auto tag) {
    using T = typename decltype(tag)::type;
    unary::visit<T>(function, a, b, [&](auto f) {
      const auto gradient = [f](auto v, auto dy_value) { return gradient_of(f, v, dy_value); };
      if constexpr (DerivativeOnVectors<decltype(f)>) {
        elementwise_math<T>(dx, gradient, saved, dy);
      } else {
        elementwise<T, T, T>(dx, gradient, saved, dy);
      }
    });
  });
}

[[maybe_unused]] const bool registered =
    unary_kernel.set(DeviceType::cpu, unary_cpu) &&
    unary_backward_kernel.set(DeviceType::cpu, unary_backward_cpu);

}  // namespace
}  // namespace diagrad
