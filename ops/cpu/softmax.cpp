#include <algorithm>

#include "diagrad/core/dtype.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector_math.h"
#include "diagrad/ops/cpu/lane_sum.h"
#include "diagrad/ops/softmax_kernels.h"
#include "diagrad/ops/softmax_math.h"

namespace diagrad {
namespace {

/// Rows served together where they are short, so that exponentials fill whole vectors.
constexpr int64_t kBlockRows = 64;

int64_t rows_together(int64_t n) {
  return std::clamp<int64_t>(512 / n, 1, kBlockRows);
}

template <typename Rule, typename T>
void forward_rows(int64_t rows, int64_t n, const T* __restrict x, T* __restrict y) {
  T largest[kBlockRows];
  for (int64_t r = 0; r < rows; ++r) {
    const T top = kernels::lane_max(n, x + r * n);
    for (int64_t i = r * n; i < (r + 1) * n; ++i) y[i] = x[i] - top;
    largest[r] = top;
  }
  map_math(
      rows * n, [](MathVec<T> shifted) { return exp_of(shifted); }, y, y);
  T normaliser[kBlockRows];
  for (int64_t r = 0; r < rows; ++r) {
    normaliser[r] = kernels::lane_sum<T>(n, [from = y + r * n](int64_t i) { return from[i]; });
  }
  map_math(
      rows, [](MathVec<T> sum) { return Rule::normaliser(sum); }, normaliser, normaliser);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = r * n; i < (r + 1) * n; ++i) {
      y[i] = Rule::value(x[i] - largest[r], y[i], normaliser[r]);
    }
  }
}

template <typename Rule, typename T>
void backward_rows(int64_t rows, int64_t n, const T* __restrict y, const T* __restrict dy,
                   T* __restrict dx) {
  if constexpr (Rule::kBackwardNeedsPower) {
    map_math(
        rows * n, [](MathVec<T> value) { return exp_of(value); }, dx, y);
  }
  for (int64_t r = 0; r < rows; ++r, y += n, dy += n, dx += n) {
    const T sum = kernels::lane_sum<T>(n, [=](int64_t i) { return Rule::summand(y[i], dy[i]); });
    for (int64_t i = 0; i < n; ++i) {
      const T power = Rule::kBackwardNeedsPower ? dx[i] : T(0);
      dx[i] = Rule::gradient(y[i], power, dy[i], sum);
    }
  }
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
  T sum[kBlockColumns] = {};
  for (int64_t i = 0; i < n * stride; i += stride) {
    for (int64_t c = 0; c < count; ++c) sum[c] += Rule::summand(y[i + c], dy[i + c]);
  }
  for (int64_t i = 0; i < n * stride; i += stride) {
    if constexpr (Rule::kBackwardNeedsPower) {
      map_math(
          count, [](MathVec<T> value) { return exp_of(value); }, dx + i, y + i);
    }
    for (int64_t c = 0; c < count; ++c) {
      const T power = Rule::kBackwardNeedsPower ? dx[i + c] : T(0);
      dx[i + c] = Rule::gradient(y[i + c], power, dy[i + c], sum[c]);
    }
  }
}

/// Values that one chunk of a parallel loop should at least have.
constexpr int64_t kGrainValues = 4096;

/// Calls body(offset of the first value, count) in parallel, for several rows of the last axis or
/// several columns of another one.
template <typename Body>
void for_each_block(const SoftmaxAxis& axis, Body body) {
  if (axis.outer * axis.length * axis.inner == 0) return;
  if (axis.inner == 1) {
    const int64_t step = rows_together(axis.length);
    parallel_for(axis.outer, kGrainValues / axis.length, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row += step) {
        body(row * axis.length, std::min(step, last - row));
      }
    });
    return;
  }
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
    for_each_block(axis, [&](int64_t offset, int64_t count) {
      const T* const from = x.data<T>() + offset;
      T* const to = y.data<T>() + offset;
      if (axis.inner == 1) {
        forward_rows<Rule>(count, axis.length, from, to);
      } else {
        forward_columns<Rule>(axis.length, axis.inner, count, from, to);
      }
    });
  });
}

template <typename Rule>
void backward_cpu(const SoftmaxAxis& axis, const Tensor& y, const Tensor& dy, const Tensor& dx) {
  dispatch_floating(y.dtype(), "softmax backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_block(axis, [&](int64_t offset, int64_t count) {
      const T* const values = y.data<T>() + offset;
      const T* const gradient = dy.data<T>() + offset;
      T* const to = dx.data<T>() + offset;
      if (axis.inner == 1) {
        backward_rows<Rule>(count, axis.length, values, gradient, to);
      } else {
        backward_columns<Rule>(axis.length, axis.inner, count, values, gradient, to);
      }
    });
  });
}

[[maybe_unused]] const bool registered =
    softmax_kernel.set(DeviceType::cpu, forward_cpu<SoftmaxRule>) &&
    softmax_backward_kernel.set(DeviceType::cpu, backward_cpu<SoftmaxRule>) &&
    log_softmax_kernel.set(DeviceType::cpu, forward_cpu<LogSoftmaxRule>) &&
    log_softmax_backward_kernel.set(DeviceType::cpu, backward_cpu<LogSoftmaxRule>);

}  // namespace
}  // namespace diagrad
