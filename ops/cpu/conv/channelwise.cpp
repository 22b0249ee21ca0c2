#include "diagrad/ops/cpu/conv/channelwise.h"

#include "diagrad/ops/cpu/gemm/micro_kernel_parts.h"

namespace diagrad::kernels {
namespace {

template <typename T, int kRows, int kVectors>
void channelwise_block(const RowOperand<T>& a, const PanelOperand<T>& b,
                       const BlockOutput<T>& out) {
  Vec<T> sum[kRows][kVectors] = {};
  const T* right = b.data;
  for (int64_t run = 0; run < a.runs; ++run, right += b.step) {
    const int64_t offset = a.offsets[run];
    Vec<T> row[kVectors];
    DG_UNROLL
    for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* const left = a.rows[r] + offset;
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] += load(left + v * kLanes<T>) * row[v];
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

template <typename T, int kRows, int kVectors>
void tap_block(const TapOperand<T>& a, const PanelOperand<T>& b, const BlockOutput<T>& out) {
  Vec<T> sum[kRows][kVectors] = {};
  for (int64_t run = 0; run < a.runs; ++run) {
    const T* right = b.data + run * b.run_step;
    const T* left[kRows];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) left[r] = a.rows[r] + run * a.run_step;
    for (int64_t k = 0; k < a.length; ++k, right += b.step) {
      Vec<T> row[kVectors];
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) row[v] = load(right + v * kLanes<T>);
      DG_UNROLL
      for (int r = 0; r < kRows; ++r) {
        DG_UNROLL
        for (int v = 0; v < kVectors; ++v) sum[r][v] += load(left[r] + v * kLanes<T>) * row[v];
        left[r] += a.step;
      }
    }
  }
  finish_block<T, kRows, kVectors>(sum, out);
}

}  // namespace

template <typename T>
RowKernel<T> channelwise_kernel(int64_t rows, int64_t vectors) {
  static constexpr KernelTableOf<RowKernel<T>, kMaxRows, kMaxVectors> kTable(
      []<int kRows, int kVectors>() -> RowKernel<T> {
        return channelwise_block<T, kRows, kVectors>;
      });
  return kTable.at(rows, vectors);
}

template <typename T>
TapKernel<T> tap_kernel(int64_t rows, int64_t vectors) {
  static constexpr KernelTableOf<TapKernel<T>, kMaxRows, kMaxVectors> kTable(
      []<int kRows, int kVectors>() -> TapKernel<T> { return tap_block<T, kRows, kVectors>; });
  return kTable.at(rows, vectors);
}

template RowKernel<float> channelwise_kernel<float>(int64_t, int64_t);
template RowKernel<double> channelwise_kernel<double>(int64_t, int64_t);
template TapKernel<float> tap_kernel<float>(int64_t, int64_t);
template TapKernel<double> tap_kernel<double>(int64_t, int64_t);

}  // namespace diagrad::kernels
