#include "diagrad/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "diagrad/autograd/record.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/kernels/lane_sum.h"
#include "diagrad/ops/softmax_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

template <typename Forward, typename Backward>
Tensor along_axis(const char* op, const Forward& forward, const Backward& backward, const Tensor& x,
                  int axis) {
  DG_CHECK(x.rank() >= 1, "{}: a scalar has no axis to sum over", op);
  const int at = normalize_axis(op, axis, x.rank());
  const SoftmaxAxis split{x.shape().numel(0, at), x.shape()[at], x.shape().numel(at + 1, x.rank())};
  const Tensor y = Tensor::empty_like(x);
  forward.on(x.device())(split, x.contiguous(), y);
  return autograd::record({op}, {x}, y,
                          [&backward, split, y = SavedTensor(y)](const BackwardContext& context) {
                            const Tensor dy = context.gradient().contiguous();
                            const Tensor dx = Tensor::empty_like(dy);
                            backward.on(dy.device())(split, y.get(context), dy, dx);
                            return Gradients{dx};
                          });
}

/// The rules of the two operations for one value. With e = e^(x - largest), a row gives
/// y = value(x - largest, e, normaliser(sum e)) and dx = gradient(y, dy, sum of summand(y, dy)).
/// V is a MathVec<T> where several values are taken at once.
struct Softmax {
  template <typename V>
  static V normaliser(V sum) {
    return 1.0F / sum;
  }
  template <typename V, typename S>
  static V value(V /*shifted*/, V e, S inverse) {
    return e * inverse;
  }
  template <typename T>
  static T summand(T y, T dy) {
    return y * dy;
  }
  template <typename V, typename S>
  static V gradient(V y, V dy, S sum) {
    return y * (dy - sum);
  }
};

struct LogSoftmax {
  template <typename V>
  static V normaliser(V sum) {
    return log_of(sum);
  }
  template <typename V, typename S>
  static V value(V shifted, V /*e*/, S log_sum) {
    return shifted - log_sum;
  }
  template <typename T>
  static T summand(T /*y*/, T dy) {
    return dy;
  }
  template <typename V, typename S>
  static V gradient(V y, V dy, S sum) {
    return dy - exp_of(y) * sum;
  }
};

template <typename Rule, typename T>
void forward_row(int64_t n, const T* __restrict x, T* __restrict y) {
  using V = MathVec<T>;
  const T largest = kernels::lane_max(n, x);
  map_math(
      n, [=](V v) { return exp_of(v - largest); }, y, x);
  const T sum = kernels::lane_sum<T>(n, [=](int64_t i) { return y[i]; });
  const T normaliser = Rule::normaliser(sum);
  for (int64_t i = 0; i < n; ++i) y[i] = Rule::value(x[i] - largest, y[i], normaliser);
}

template <typename Rule, typename T>
void backward_row(int64_t n, const T* __restrict y, const T* __restrict dy, T* __restrict dx) {
  using V = MathVec<T>;
  const T sum = kernels::lane_sum<T>(n, [=](int64_t i) { return Rule::summand(y[i], dy[i]); });
  map_math(
      n, [=](V value, V slope) { return Rule::gradient(value, slope, sum); }, dx, y, dy);
}

/// Columns served together where the axis is not the last one.
constexpr int64_t kBlockColumns = 64;

/// `count` neighbouring columns of a matrix with `n` rows, `stride` apart.
template <typename Rule, typename T>
void forward_columns(int64_t n, int64_t stride, int64_t count, const T* __restrict x,
                     T* __restrict y) {
  using V = MathVec<T>;
  T largest[kBlockColumns];
  T sum[kBlockColumns] = {};
  for (int64_t c = 0; c < count; ++c) largest[c] = x[c];
  for (int64_t i = 1; i < n; ++i) {
    const T* __restrict row = x + i * stride;
    for (int64_t c = 0; c < count; ++c) largest[c] = row[c] > largest[c] ? row[c] : largest[c];
  }
  for (int64_t i = 0; i < n; ++i) {
    T* __restrict to = y + i * stride;
    map_math(
        count, [](V v, V top) { return exp_of(v - top); }, to, x + i * stride, largest);
    for (int64_t c = 0; c < count; ++c) sum[c] += to[c];
  }
  map_math(
      count, [](V total) { return Rule::normaliser(total); }, sum, sum);
  for (int64_t i = 0; i < n; ++i) {
    const T* __restrict row = x + i * stride;
    T* __restrict to = y + i * stride;
    for (int64_t c = 0; c < count; ++c) to[c] = Rule::value(row[c] - largest[c], to[c], sum[c]);
  }
}

template <typename Rule, typename T>
void backward_columns(int64_t n, int64_t stride, int64_t count, const T* __restrict y,
                      const T* __restrict dy, T* __restrict dx) {
  using V = MathVec<T>;
  T sum[kBlockColumns] = {};
  for (int64_t i = 0; i < n * stride; i += stride) {
    for (int64_t c = 0; c < count; ++c) sum[c] += Rule::summand(y[i + c], dy[i + c]);
  }
  const auto gradient = [](V value, V slope, V total) {
    return Rule::gradient(value, slope, total);
  };
  for (int64_t i = 0; i < n * stride; i += stride) {
    map_math(count, gradient, dx + i, y + i, dy + i, sum);
  }
}

/// Values that one chunk of a parallel loop should at least have.
constexpr int64_t kGrainValues = 4096;

/// Calls body(offset of the first value, columns) in parallel; columns is 1 for rows of the last
/// axis.
template <typename Body>
void for_each_block(const SoftmaxAxis& axis, Body body) {
  if (axis.outer * axis.length * axis.inner == 0) return;
  const int64_t blocks = (axis.inner + kBlockColumns - 1) / kBlockColumns;
  const int64_t block_values = axis.length * std::min(axis.inner, kBlockColumns);
  parallel_for(axis.outer * blocks, kGrainValues / block_values, [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const int64_t column = item % blocks * kBlockColumns;
      body(item / blocks * axis.length * axis.inner + column,
           std::min(kBlockColumns, axis.inner - column));
    }
  });
}

template <typename Rule>
void forward_cpu(const SoftmaxAxis& axis, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "softmax", [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_block(axis, [&](int64_t offset, int64_t columns) {
      const T* const from = x.data<T>() + offset;
      T* const to = y.data<T>() + offset;
      if (axis.inner == 1) {
        forward_row<Rule>(axis.length, from, to);
      } else {
        forward_columns<Rule>(axis.length, axis.inner, columns, from, to);
      }
    });
  });
}

template <typename Rule>
void backward_cpu(const SoftmaxAxis& axis, const Tensor& y, const Tensor& dy, const Tensor& dx) {
  dispatch_floating(y.dtype(), "softmax backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_block(axis, [&](int64_t offset, int64_t columns) {
      const T* const values = y.data<T>() + offset;
      const T* const gradient = dy.data<T>() + offset;
      T* const to = dx.data<T>() + offset;
      if (axis.inner == 1) {
        backward_row<Rule>(axis.length, values, gradient, to);
      } else {
        backward_columns<Rule>(axis.length, axis.inner, columns, values, gradient, to);
      }
    });
  });
}

[[maybe_unused]] const bool registered =
    softmax_kernel.set(DeviceType::cpu, forward_cpu<Softmax>) &&
    softmax_backward_kernel.set(DeviceType::cpu, backward_cpu<Softmax>) &&
    log_softmax_kernel.set(DeviceType::cpu, forward_cpu<LogSoftmax>) &&
    log_softmax_backward_kernel.set(DeviceType::cpu, backward_cpu<LogSoftmax>);

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  return along_axis("softmax", softmax_kernel, softmax_backward_kernel, x, axis);
}

Tensor log_softmax(const Tensor& x, int axis) {
  return along_axis("log_softmax", log_softmax_kernel, log_softmax_backward_kernel, x, axis);
}

}  // namespace diagrad
