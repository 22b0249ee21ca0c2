#include "diagrad/ops/kernels/micro_kernel.h"

#include <array>
#include <utility>

namespace diagrad::kernels {
namespace {

// Every loop over rows or vectors is unrolled completely: the accumulators must be addressed by
// constants to stay in registers.

template <typename T, int kRows, int kVectors>
void prefetch_output(const BlockOutput<T>& out) {
#pragma GCC unroll 64
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 64
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(out.rows[r] + v * kLanes<T>, 1);
  }
}

/// One vector of the result.
template <typename T>
void finish(const Vec<T>& sum, const BlockOutput<T>& out, T* target, int64_t column) {
  const int64_t valid = out.columns - column;
  Vec<T> value = sum * out.alpha;
  if (valid >= kLanes<T>) {
    if (out.bias != nullptr) value += load(out.bias + column);
    if (out.accumulate) value += load(target + column);
    store<T>(target + column, value);
  } else {
    if (out.bias != nullptr) value += load_partial(out.bias + column, valid);
    if (out.accumulate) value += load_partial(target + column, valid);
    store_partial<T>(target + column, value, valid);
  }
}

template <typename T, int kRows, int kVectors>
void finish_block(const Vec<T> (&sum)[kRows][kVectors], const BlockOutput<T>& out) {
#pragma GCC unroll 64
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 64
    for (int v = 0; v < kVectors; ++v) finish<T>(sum[r][v], out, out.rows[r], v * kLanes<T>);
  }
}

template <typename T, int kRows, int kVectors>
void row_block(const RowOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  const T* right = b.data;
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left[kRows];
#pragma GCC unroll 64
    for (int r = 0; r < kRows; ++r) left[r] = a.rows[r] + a.offsets[run];
    for (int64_t k = 0; k < a.length; ++k) {
      Vec<T> row[kVectors];
#pragma GCC unroll 64
      for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
#pragma GCC unroll 64
      for (int r = 0; r < kRows; ++r) {
        const T factor = left[r][k];
#pragma GCC unroll 64
        for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
      }
      right += b.step;
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kRows, int kVectors>
void column_block(const ColumnOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left = a.data + run * a.run_step;
    const T* right = b.data + run * b.run_step;
    for (int64_t k = 0; k < a.length; ++k) {
      Vec<T> row[kVectors];
#pragma GCC unroll 64
      for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
#pragma GCC unroll 64
      for (int r = 0; r < kRows; ++r) {
        const T factor = left[r];
#pragma GCC unroll 64
        for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
      }
      left += a.step;
      right += b.step;
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kVectors, int... row>
constexpr auto row_table(std::integer_sequence<int, row...>) {
  return std::array<RowKernel<T>, kAccumulators>{row_block<T, row + 1, kVectors>...};
}

template <typename T, int kVectors, int... row>
constexpr auto column_table(std::integer_sequence<int, row...>) {
  return std::array<ColumnKernel<T>, kAccumulators>{column_block<T, row + 1, kVectors>...};
}

template <typename T, int... vector>
constexpr auto row_tables(std::integer_sequence<int, vector...>) {
  return std::array{row_table<T, vector + 1>(
      std::make_integer_sequence<int, max_row_kernel_rows(vector + 1)>{})...};
}

template <typename T, int... vector>
constexpr auto column_tables(std::integer_sequence<int, vector...>) {
  return std::array{column_table<T, vector + 1>(
      std::make_integer_sequence<int, max_column_kernel_rows(vector + 1)>{})...};
}

}  // namespace

template <typename T>
RowKernel<T> row_kernel(int64_t rows, int64_t vectors) {
  static constexpr auto kTables = row_tables<T>(std::make_integer_sequence<int, kMaxVectors>{});
  return kTables[static_cast<size_t>(vectors - 1)][static_cast<size_t>(rows - 1)];
}

template <typename T>
ColumnKernel<T> column_kernel(int64_t rows, int64_t vectors) {
  static constexpr auto kTables = column_tables<T>(std::make_integer_sequence<int, kMaxVectors>{});
  return kTables[static_cast<size_t>(vectors - 1)][static_cast<size_t>(rows - 1)];
}

template RowKernel<float> row_kernel<float>(int64_t, int64_t);
template RowKernel<double> row_kernel<double>(int64_t, int64_t);
template ColumnKernel<float> column_kernel<float>(int64_t, int64_t);
template ColumnKernel<double> column_kernel<double>(int64_t, int64_t);

}  // namespace diagrad::kernels
