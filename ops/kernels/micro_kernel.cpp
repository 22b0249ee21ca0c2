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

/// Applies `finish(sum, column, target)` to every vector of the block.
template <int kRows, int kVectors, typename T, typename Sums, typename Finish>
void for_each_vector(const Sums& sum, const BlockOutput<T>& out, const Finish& finish) {
#pragma GCC unroll 64
  for (int r = 0; r < kRows; ++r) {
    T* const target = out.rows[r];
#pragma GCC unroll 64
    for (int v = 0; v < kVectors; ++v) finish(sum[r][v], v * kLanes<T>, target + v * kLanes<T>);
  }
}

/// Writes the block; the frequent cases without a test per vector.
template <typename T, int kRows, int kVectors>
void finish_block(const Vec<T> (&sum)[kRows][kVectors], const BlockOutput<T>& out) {
  if (out.columns < kVectors * kLanes<T>) {
    for_each_vector<kRows, kVectors>(sum, out, [&out](Vec<T> value, int column, T* target) {
      const int64_t valid = std::min<int64_t>(out.columns - column, kLanes<T>);
      value *= out.alpha;
      if (out.bias != nullptr) value += load_partial(out.bias + column, valid);
      if (out.accumulate) value += load_partial(target, valid);
      store_partial<T>(target, value, valid);
    });
  } else if (out.bias != nullptr) {
    const bool accumulate = out.accumulate;
    for_each_vector<kRows, kVectors>(sum, out,
                                     [&out, accumulate](Vec<T> value, int column, T* target) {
                                       value = value * out.alpha + load(out.bias + column);
                                       if (accumulate) value += load(target);
                                       store<T>(target, value);
                                     });
  } else if (out.accumulate) {
    for_each_vector<kRows, kVectors>(
        sum, out, [alpha = out.alpha](const Vec<T>& value, int /*column*/, T* target) {
          store<T>(target, value * alpha + load(target));
        });
  } else {
    for_each_vector<kRows, kVectors>(
        sum, out, [alpha = out.alpha](const Vec<T>& value, int /*column*/, T* target) {
          store<T>(target, value * alpha);
        });
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
#pragma GCC unroll 4
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
