#include "diagrad/ops/cpu/gemm/small_product.h"

#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/micro_kernel_parts.h"

namespace diagrad::kernels {
namespace {

/// `blocks` blocks of kRows rows each, from `first_row` on, of kVectors vectors from `column` on.
/// One call does them all: with short sums, a call for each block costs as much as its products.
template <typename T, int kRows, int kVectors>
void row_blocks(const SmallProduct<T>& p, int64_t first_row, int64_t blocks, int64_t column) {
  const T* a = p.a + first_row * p.a_stride;
  T* c = p.c + first_row * p.c_stride + column;
  for (int64_t block = 0; block < blocks; ++block) {
    const T* left[kRows];
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) left[r] = a + r * p.a_stride;
    const T* right = p.b + column;
    Vec<T> sum[kRows][kVectors] = {};
#pragma GCC unroll 4
    for (int64_t k = 0; k < p.inner; ++k, right += p.b_stride) multiply_add(left, k, right, sum);
    if (p.accumulate) {
      DG_UNROLL
      for (int r = 0; r < kRows; ++r) {
        DG_UNROLL
        for (int v = 0; v < kVectors; ++v) sum[r][v] += load(c + r * p.c_stride + v * kLanes<T>);
      }
    }
    DG_UNROLL
    for (int r = 0; r < kRows; ++r) {
      DG_UNROLL
      for (int v = 0; v < kVectors; ++v) store<T>(c + r * p.c_stride + v * kLanes<T>, sum[r][v]);
    }
    a += kRows * p.a_stride;
    c += kRows * p.c_stride;
  }
}

template <typename T>
using RowBlocks = void (*)(const SmallProduct<T>&, int64_t, int64_t, int64_t);

template <typename T>
constexpr KernelTableOf<RowBlocks<T>, kMaxRows, kMaxVectors> kRowBlocks(
    []<int kRows, int kVectors>() -> RowBlocks<T> { return row_blocks<T, kRows, kVectors>; });

}  // namespace

template <typename T>
void multiply_small(const SmallProduct<T>& p) {
  const PanelSplit<T> panels(p.vectors * kLanes<T>);
  const EvenSplit blocks(p.rows, kMaxRows);
  const int64_t larger = blocks.extra;
  const int64_t smaller = blocks.count - larger;
  for (int64_t panel = 0; panel < panels.count(); ++panel) {
    const int64_t column = panels.first_column(panel);
    const int64_t vectors = panels.vectors(panel);
    if (larger > 0) kRowBlocks<T>.at(blocks.base + 1, vectors)(p, 0, larger, column);
    if (smaller > 0) {
      kRowBlocks<T>.at(blocks.base, vectors)(p, larger * (blocks.base + 1), smaller, column);
    }
  }
}

template void multiply_small<float>(const SmallProduct<float>&);
template void multiply_small<double>(const SmallProduct<double>&);

}  // namespace diagrad::kernels
