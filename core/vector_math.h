#pragma once

#include <algorithm>
#include <type_traits>

#include "diagrad/core/float_math.h"
#include "diagrad/core/vector.h"

namespace diagrad {

namespace detail {
/// With this the functions of float_math.h take a Vec<float>.
template <>
struct WordOf<Vec<float>> {
  typedef uint32_t type __attribute__((vector_size(kVectorBytes)));
};
}  // namespace detail

inline namespace DG_VECTOR_NAMESPACE {

/// What kernels give to the functions of float_math.h: a vector of floats, a single double.
template <typename T>
using MathVec = std::conditional_t<std::is_same_v<T, float>, Vec<float>, T>;

/// Elements of a MathVec<T>.
template <typename T>
inline constexpr int64_t kMathLanes = std::is_same_v<T, float> ? kLanes<float> : 1;

/// The first `count` elements of an array, `stride` apart, and back.
inline Vec<float> load_math(const float* source, int64_t count, int64_t stride = 1) {
  return count == kLanes<float> && stride == 1 ? load<float>(source)
                                               : load_partial<float>(source, count, stride);
}
inline double load_math(const double* source, int64_t /*count*/, int64_t /*stride*/ = 1) {
  return *source;
}
inline void store_math(float* target, const Vec<float>& value, int64_t count, int64_t stride = 1) {
  if (count == kLanes<float> && stride == 1) {
    store<float>(target, value);
  } else {
    store_partial<float>(target, value, count, stride);
  }
}
inline void store_math(double* target, double value, int64_t /*count*/, int64_t /*stride*/ = 1) {
  *target = value;
}

/// y[i] = f(x[i]...) for i in [0, n), f taking and returning MathVec<T>. A remainder goes through f
/// beside zeros, so that the bits of a result do not depend on where it falls. y may be one of x.
template <typename T, typename F, typename... Rest>
inline void map_math(int64_t n, F f, T* y, const T* x, const Rest*... rest) {
  for (int64_t i = 0; i < n; i += kMathLanes<T>) {
    const int64_t count = std::min(kMathLanes<T>, n - i);
    store_math(y + i, f(load_math(x + i, count), load_math(rest + i, count)...), count);
  }
}

}  // namespace DG_VECTOR_NAMESPACE
}  // namespace diagrad
