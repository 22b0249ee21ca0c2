#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/gelu_kernels.h"
#include "diagrad/ops/unary_math.h"

namespace diagrad {
namespace {

constexpr int64_t kGrain = int64_t{1} << 14;  ///< elements that are worth a thread

/// Calls `body` with the functor of the form for T.
template <typename T, typename Body>
void visit_gelu(GeluForm form, const Body& body) {
  if (form == GeluForm::exact) {
    body(unary::Gelu<T>{});
  } else {
    body(unary::GeluTanh<T>{});
  }
}

/// One exponential serves the value and the derivative. Where y is null the same is computed, so
/// that the gradient has the same bits.
template <typename T, typename F>
void value_and_gradient(const F& f, int64_t count, const T* x, T* dy, T* y) {
  T ignored[kMathLanes<T>];
  const int64_t step = y != nullptr ? kMathLanes<T> : 0;
  T* target = y != nullptr ? y : ignored;
  for (int64_t i = 0; i < count; i += kMathLanes<T>, target += step) {
    const int64_t lanes = std::min(kMathLanes<T>, count - i);
    const MathVec<T> v = load_math(x + i, lanes);
    store_math(target, f.value(v), lanes);
    store_math(dy + i, load_math(dy + i, lanes) * f.derivative(v), lanes);
  }
}

void backward_cpu(GeluForm form, const Tensor& x, const Tensor& dy, const Tensor& y) {
  dispatch_floating(x.dtype(), "gelu_linear backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    visit_gelu<T>(form, [&](const auto& f) {
      parallel_for(x.numel(), kGrain, [&](int64_t first, int64_t last) {
        value_and_gradient<T>(f, last - first, x.data<T>() + first, dy.data<T>() + first,
                              y.defined() ? y.data<T>() + first : nullptr);
      });
    });
  });
}

[[maybe_unused]] const bool registered = gelu_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
