#include "diagrad/ops/kernels/micro_kernel.h"

#include "diagrad/ops/kernels/micro_kernel_parts.h"

namespace diagrad::kernels {
namespace {

template <typename T, int kRows, int kVectors>
void row_block(const RowOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  const T* right = b.data;
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left[kRows];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) left[r] = a.rows[r] + a.offsets[run];
#pragma GCC unroll 4
    for (int64_t k = 0; k < a.length; ++k) {
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

template <typename T, int kRows, int kVectors>
void column_block(const ColumnOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  prefetch_output<T, kRows, kVectors>(out);
  Vec<T> sum[kRows][kVectors] = {};
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* left = a.data + run * a.run_step;
    const T* right = b.data + run * b.run_step;
    for (int64_t k = 0; k < a.length; ++k) {
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

}  // namespace

template <typename T>
RowKernel<T> row_kernel(int64_t rows, int64_t vectors) {
  static constexpr KernelTableOf<RowKernel<T>, kMaxRows, kMaxVectors> kTable(
      []<int kRows, int kVectors>() -> RowKernel<T> { return row_block<T, kRows, kVectors>; });
  return kTable.at(rows, vectors);
}

template <typename T>
ColumnKernel<T> column_kernel(int64_t rows, int64_t vectors) {
  static constexpr KernelTableOf<ColumnKernel<T>, kAccumulators, kMaxVectors> kTable(
      []<int kRows, int kVectors>() -> ColumnKernel<T> {
        if constexpr (kRows <= max_column_kernel_rows(kVectors)) {
          return column_block<T, kRows, kVectors>;
        } else {
          return nullptr;
        }
      });
  return kTable.at(rows, vectors);
}

template RowKernel<float> row_kernel<float>(int64_t, int64_t);
template RowKernel<double> row_kernel<double>(int64_t, int64_t);
template ColumnKernel<float> column_kernel<float>(int64_t, int64_t);
template ColumnKernel<double> column_kernel<double>(int64_t, int64_t);

}  // namespace diagrad::kernels
