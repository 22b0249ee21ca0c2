#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

/// A program that is built for another instruction set than the library sees vectors of another
/// width. What depends on it is in a namespace per width, so that neither is linked to the other's.
#if defined(__AVX512F__)
#define DG_VECTOR_NAMESPACE vector64
#elif defined(__AVX2__)
#define DG_VECTOR_NAMESPACE vector32
#else
#define DG_VECTOR_NAMESPACE vector16
#endif

namespace diagrad {
inline namespace DG_VECTOR_NAMESPACE {

/// Bytes of the widest vector register of the instruction set this file is compiled for, and how
/// many such registers there are.
#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kVectorRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kVectorRegisters = 16;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kVectorRegisters = 16;
#endif

/// Before a loop over an array of vectors with a constant number of turns: unrolls it completely.
#if defined(__clang__)
#if __has_feature(address_sanitizer)
// Unrolled, the checks of each access take minutes to compile.
#define DG_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define DG_UNROLL _Pragma("clang loop unroll(full)")
#endif
#else
#define DG_UNROLL _Pragma("GCC unroll 64")
#endif

namespace vector_detail {
template <typename T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(kVectorBytes)));
};
template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(kVectorBytes)));
};
typedef float HalfVector __attribute__((vector_size(kVectorBytes / 2)));
}  // namespace vector_detail

/// A full register of T (float or double) with the arithmetic operators of its elements; a scalar
/// operand is broadcast. `sum += x * y` is one fused multiply-add where the machine has it. Keep
/// arrays of vectors in plain C arrays indexed by unrolled loops, or they live in memory.
template <typename T>
using Vec = typename vector_detail::VectorOf<T>::type;

/// Elements of a Vec<T>.
template <typename T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

/// From and to any address; no alignment is needed.
template <typename T>
inline Vec<T> load(const T* source) {
  Vec<T> value;
  std::memcpy(&value, source, sizeof(value));
  return value;
}

template <typename T>
inline void store(T* target, const Vec<T>& value) {
  std::memcpy(target, &value, sizeof(value));
}

/// kLanes<double> floats as doubles, and doubles rounded to floats.
inline Vec<double> load_widened(const float* source) {
  vector_detail::HalfVector value;
  std::memcpy(&value, source, sizeof(value));
  return __builtin_convertvector(value, Vec<double>);
}

inline void store_narrowed(float* target, const Vec<double>& value) {
  const auto narrow = __builtin_convertvector(value, vector_detail::HalfVector);
  std::memcpy(target, &narrow, sizeof(narrow));
}

/// `count` elements `stride` apart, 0 < count <= kLanes<T>; the other lanes are zero.
template <typename T>
inline Vec<T> load_partial(const T* source, int64_t count, int64_t stride = 1) {
  T lanes[kLanes<T>] = {};
  for (int64_t lane = 0; lane < count; ++lane) lanes[lane] = source[lane * stride];
  return load<T>(lanes);
}

template <typename T>
inline void store_partial(T* target, const Vec<T>& value, int64_t count, int64_t stride = 1) {
  T lanes[kLanes<T>];
  store<T>(lanes, value);
  for (int64_t lane = 0; lane < count; ++lane) target[lane * stride] = lanes[lane];
}

template <typename T>
inline Vec<T> broadcast(T value) {
  return [value]<size_t... I>(std::index_sequence<I...>) {
    return Vec<T>{(static_cast<void>(I), value)...};
  }
  (std::make_index_sequence<kLanes<T>>{});
}

/// Sum of all elements, elementwise: first with second half, and so on.
template <typename T>
inline T horizontal_sum(Vec<T> value) {
  // In registers: an array of the lanes would be written and read again at every halving.
  const auto add_rotated = [&]<int distance, int... lane>(std::integer_sequence<int, distance>,
                                                          std::integer_sequence<int, lane...>) {
    value += __builtin_shufflevector(value, value, ((lane + distance) % kLanes<T>)...);
  };
  constexpr std::make_integer_sequence<int, kLanes<T>> lanes{};
  if constexpr (kLanes < T >> 8) add_rotated(std::integer_sequence<int, 8>{}, lanes);
  if constexpr (kLanes < T >> 4) add_rotated(std::integer_sequence<int, 4>{}, lanes);
  if constexpr (kLanes < T >> 2) add_rotated(std::integer_sequence<int, 2>{}, lanes);
  add_rotated(std::integer_sequence<int, 1>{}, lanes);
  return value[0];
}

/// Transposes the kLanes<T> x kLanes<T> matrix whose rows are `row`, in registers.
template <typename T>
inline void transpose_lanes(Vec<T> (&row)[kLanes<T>]) {
  constexpr int kCount = kLanes<T>;
  // Each stage exchanges, between rows `step` apart, the lanes whose index has that bit.
  const auto exchange = [&]<int step, int... lane>(std::integer_sequence<int, step>,
                                                   std::integer_sequence<int, lane...>) {
    DG_UNROLL
    for (int i = 0; i < kCount; ++i) {
      if ((i & step) != 0) continue;
      const Vec<T> low = row[i];
      const Vec<T> high = row[i + step];
      row[i] =
          __builtin_shufflevector(low, high, ((lane & step) == 0 ? lane : lane - step + kCount)...);
      row[i + step] =
          __builtin_shufflevector(low, high, ((lane & step) == 0 ? lane + step : lane + kCount)...);
    }
  };
  constexpr std::make_integer_sequence<int, kCount> lanes{};
  if constexpr (kCount > 8) exchange(std::integer_sequence<int, 8>{}, lanes);
  if constexpr (kCount > 4) exchange(std::integer_sequence<int, 4>{}, lanes);
  if constexpr (kCount > 2) exchange(std::integer_sequence<int, 2>{}, lanes);
  exchange(std::integer_sequence<int, 1>{}, lanes);
}

}  // namespace DG_VECTOR_NAMESPACE
}  // namespace diagrad
