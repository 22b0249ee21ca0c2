#include "diagrad/ops/kernels/micro_kernel.h"

#include "diagrad/ops/kernels/micro_kernel_parts.h"

namespace diagrad::kernels {
namespace {

/// Into the second-level cache: the first is small, and what is needed now comes first.
template <typename T>
[[gnu::always_inline]] inline void ask(const T* at) {
  __builtin_prefetch(at, 0, 2);
}

template <typename T, int kRows, int kVectors, bool kAsksAhead>
void row_block(const RowOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  if constexpr (!kAsksAhead) prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  const T* right = b.data;
  Ahead<T> source = a.source;
  Ahead<T> result = a.result;
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left[kRows];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) left[r] = a.rows[r] + a.offsets[run];
#pragma GCC unroll 4
    for (int64_t k = 0; k < a.length; ++k) {
      if constexpr (kAsksAhead) {
        ask(source.data);
        ask(result.data);
        source.data += source.step;
        result.data += result.step;
      }
      Vec<T> row[kVectors];
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
      DG_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const T factor = left[r][k];
        DG_UNROLL
        for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
      }
      right += b.step;
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kRows, int kVectors, bool kAsksAhead>
void column_block(const ColumnOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left = a.data + run * a.run_step;
    const T* right = b.data + run * b.run_step;
    for (int64_t k = 0; k < a.length; ++k) {
      if constexpr (kAsksAhead) {
        ask(left + a.ahead);
        if constexpr (kRows > kLanes<T>) ask(left + a.ahead + kRows - 1);
        DG_UNROLL
        for (int v = 0; v < kVectors; ++v) ask(right + b.ahead + v * kLanes<T>);
      }
      Vec<T> row[kVectors];
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
      DG_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const T factor = left[r];
        DG_UNROLL
        for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
      }
      left += a.step;
      right += b.step;
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, bool kAsksAhead>
constexpr KernelTableOf<RowKernel<T>, kMaxRows, kMaxVectors> kRowKernels(
    []<int kRows, int kVectors>() -> RowKernel<T> {
      return row_block<T, kRows, kVectors, kAsksAhead>;
    });

template <typename T, bool kAsksAhead>
constexpr KernelTableOf<ColumnKernel<T>, kAccumulators, kMaxVectors> kColumnKernels(
    []<int kRows, int kVectors>() -> ColumnKernel<T> {
      if constexpr (kRows <= max_column_kernel_rows(kVectors)) {
        return column_block<T, kRows, kVectors, kAsksAhead>;
      } else {
        return nullptr;
      }
    });

}  // namespace

template <typename T>
RowKernel<T> row_kernel(int64_t rows, int64_t vectors, bool asks_ahead) {
  return asks_ahead ? kRowKernels<T, true>.at(rows, vectors)
                    : kRowKernels<T, false>.at(rows, vectors);
}

template <typename T>
ColumnKernel<T> column_kernel(int64_t rows, int64_t vectors, bool asks_ahead) {
  return asks_ahead ? kColumnKernels<T, true>.at(rows, vectors)
                    : kColumnKernels<T, false>.at(rows, vectors);
}

template RowKernel<float> row_kernel<float>(int64_t, int64_t, bool);
template RowKernel<double> row_kernel<double>(int64_t, int64_t, bool);
template ColumnKernel<float> column_kernel<float>(int64_t, int64_t, bool);
template ColumnKernel<double> column_kernel<double>(int64_t, int64_t, bool);

}  // namespace diagrad::kernels
