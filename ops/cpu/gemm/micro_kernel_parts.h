#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"

// What the files with micro-kernels share. Every loop over rows or vectors is unrolled completely:
// accumulators must be addressed by constants to stay in registers.

namespace diagrad::kernels {

template <typename T, int kRows, int kVectors>
inline void prefetch_output(const BlockOutput<T>& out) {
  DG_UNROLL
  for (int r = 0; r < kRows; ++r) {
    DG_UNROLL
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(out.rows[r] + v * kLanes<T>, 1);
  }
}

/// Writes a block of finished sums with a bias or a partial last vector.
template <typename T, int kRows, int kVectors>
[[gnu::noinline]] void finish_any_block(const T* values, const BlockOutput<T>& out) {
  for (int r = 0; r < kRows; ++r) {
    for (int64_t column = 0; column < kVectors * kLanes<T>; column += kLanes<T>) {
      T* const target = out.rows[r] + column;
      Vec<T> value = load(values);
      values += kLanes<T>;
      if (column + kLanes<T> <= out.columns) {
        if (out.bias != nullptr) value += load(out.bias + column);
        if (out.accumulate) value += load(target);
        store<T>(target, value);
      } else {
        const int64_t valid = out.columns - column;
        if (out.bias != nullptr) value += load_partial(out.bias + column, valid);
        if (out.accumulate) value += load_partial(target, valid);
        store_partial<T>(target, value, valid);
      }
    }
  }
}

/// Writes a block; the most frequent cases straight from the registers. No other code may touch
/// the accumulators: with a loop or a call while they live, g++ keeps some of them in memory, also
/// in the loop over k, at half the speed.
template <typename T, int kRows, int kVectors>
[[gnu::always_inline]] inline void finish_block(const Vec<T> (&sum)[kRows][kVectors],
                                                const BlockOutput<T>& out) {
  const T alpha = out.alpha;
  if (out.columns < kVectors * kLanes<T> || out.bias != nullptr) {
    T values[kRows * kVectors * kLanes<T>];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) {
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        store<T>(values + (r * kVectors + v) * kLanes<T>, sum[r][v] * alpha);
      }
    }
    return finish_any_block<T, kRows, kVectors>(values, out);
  }
  if (out.accumulate) {
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) {
      T* const target = out.rows[r];
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        store<T>(target + v * kLanes<T>, sum[r][v] * alpha + load(target + v * kLanes<T>));
      }
    }
  } else {
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) {
      T* const target = out.rows[r];
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) store<T>(target + v * kLanes<T>, sum[r][v] * alpha);
    }
  }
}

/// One step of k, row r of the left operand at left[r][k].
template <typename T, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_add(const T* const (&left)[kRows], int64_t k,
                                                const T* right, Vec<T> (&sum)[kRows][kVectors]) {
  Vec<T> row[kVectors];
  DG_UNROLL
  for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
  DG_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const T factor = left[r][k];
    DG_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
  }
}

/// The same, row r at left[r].
template <typename T, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_add(const T* left, const T* right,
                                                Vec<T> (&sum)[kRows][kVectors]) {
  Vec<T> row[kVectors];
  DG_UNROLL
  for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
  DG_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const T factor = left[r];
    DG_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
  }
}

/// The kernels `entry.operator()<rows, vectors>()` for rows 1..kRows and vectors 1..kVectors.
template <typename Kernel, int kRows, int kVectors>
class KernelTableOf {
 public:
  template <typename Entry>
  constexpr explicit KernelTableOf(const Entry& entry)
      : KernelTableOf(entry, std::make_integer_sequence<int, kRows * kVectors>{}) {}

  Kernel at(int64_t rows, int64_t vectors) const {
    return kernels_[static_cast<size_t>((vectors - 1) * kRows + rows - 1)];
  }

 private:
  template <typename Entry, int... index>
  constexpr KernelTableOf(const Entry& entry, std::integer_sequence<int, index...> /*indices*/)
      : kernels_{entry.template operator()<index % kRows + 1, index / kRows + 1>()...} {}

  std::array<Kernel, static_cast<size_t>(kRows* kVectors)> kernels_;
};

}  // namespace diagrad::kernels
