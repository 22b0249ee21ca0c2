#include "diagrad/ops/cpu/column_sums.h"

#include <algorithm>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

constexpr int64_t kChunkElements = 65536;
/// Rows added up before they join the total: keeps rounding errors of long sums small.
constexpr int64_t kBlockRows = 64;

/// Rows added up in pairs first. The gradients of tokens behind a mean are equal rows: added one by
/// one, their roundings would have one sign for many steps.
constexpr int64_t kPairedRows = 8;

/// Adds kPairedRows rows.
template <typename T>
void add_paired_rows(const T* __restrict matrix, int64_t columns, T* __restrict sums) {
  for (int64_t column = 0; column < columns; ++column, ++matrix) {
    const T first = (matrix[0] + matrix[columns]) + (matrix[2 * columns] + matrix[3 * columns]);
    const T second =
        (matrix[4 * columns] + matrix[5 * columns]) + (matrix[6 * columns] + matrix[7 * columns]);
    sums[column] += first + second;
  }
}

template <typename T>
void sum_rows(const T* matrix, int64_t rows, int64_t columns, T* sums) {
  std::fill(sums, sums + columns, T(0));
  int64_t row = 0;
  for (; row + kPairedRows <= rows; row += kPairedRows) {
    add_paired_rows(matrix + row * columns, columns, sums);
  }
  for (; row < rows; ++row) {
    const T* const values = matrix + row * columns;
    for (int64_t column = 0; column < columns; ++column) sums[column] += values[column];
  }
}

}  // namespace

template <typename T>
void column_sums(const T* matrix, int64_t rows, int64_t columns, T* sums) {
  if (columns == 0) return;
  const int64_t grain =
      std::max<int64_t>(kBlockRows, kChunkElements / columns / kBlockRows * kBlockRows);
  const ChunkPlan plan(rows, grain);
  const Scratch<T> partial(plan.count * columns);
  parallel_for_chunks(plan, rows, [&](int64_t chunk, int64_t first, int64_t last) {
    T* const total = partial.data() + chunk * columns;
    std::fill(total, total + columns, T(0));
    const Scratch<T> block(columns);
    for (int64_t row = first; row < last; row += kBlockRows) {
      sum_rows(matrix + row * columns, std::min(kBlockRows, last - row), columns, block.data());
      for (int64_t column = 0; column < columns; ++column) total[column] += block.data()[column];
    }
  });
  sum_rows(partial.data(), plan.count, columns, sums);
}

template void column_sums<float>(const float*, int64_t, int64_t, float*);
template void column_sums<double>(const double*, int64_t, int64_t, double*);

}  // namespace diagrad::kernels
