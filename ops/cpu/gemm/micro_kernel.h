#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/vector.h"

namespace diagrad::kernels {

// The innermost loops of every matrix product and dense convolution: a block of R rows x V vectors
// of the result is kept in registers while the inner index k runs. Per k it costs V vector loads
// of the right operand and R broadcast loads of the left one for R * V multiply-adds.

/// Accumulators of a block; the other registers hold one row of the right operand and broadcasts.
inline constexpr int kAccumulators = kVectorRegisters == 32 ? 24 : 12;
/// Widest block, in vectors.
inline constexpr int kMaxVectors = kVectorRegisters == 32 ? 3 : 2;
/// Most rows when each has a pointer of its own: they live in general registers.
inline constexpr int kMaxRows = kAccumulators / kMaxVectors;
/// Widest block of a product with short rows, whose time goes into beginnings and ends: fewer rows,
/// but often one panel instead of two.
inline constexpr int kWideVectors = kVectorRegisters == 32 ? 4 : 2;

/// Where a block of the result goes. result = alpha * product, + bias (one value per column), or
/// + the values that are there when `accumulate`.
template <typename T>
struct BlockOutput {
  T* const* rows;   ///< first element of each row
  int64_t columns;  ///< valid ones; the last vector of the block may be partial
  T alpha = 1;
  const T* bias = nullptr;  ///< `columns` values or null
  bool accumulate = false;
};

/// What a kernel prefetches.
enum class Prefetch {
  kResult,  ///< all lines of the result at once
  kNext,    ///< the result row by row while k runs, then PanelOperand::next: for long sums
  kStream,  ///< with each k what comes from memory next, as the operands say
};

/// Memory that is needed soon: kernels prefetch `data`, `data` + step, ... with k into the
/// second-level cache.
template <typename T>
struct Ahead {
  const T* data = nullptr;
  int64_t step = 0;
};

/// Left operand by rows: element (r, k) is at rows[r][offsets[k / length] + k % length], k running
/// over runs * length. The runs are what makes a window of an image look like a matrix row.
template <typename T>
struct RowOperand {
  const T* const* rows;
  const int64_t* offsets;
  int64_t runs;
  int64_t length;
  Ahead<T> source = {};  ///< for Prefetch::kStream
  Ahead<T> result = {};
};

/// Left operand by columns (a transposed matrix, or one packed): element (r, k) is at
/// data[r + (k / length) * run_step + (k % length) * step].
template <typename T>
struct ColumnOperand {
  const T* data;
  int64_t step;
  int64_t run_step;
  int64_t runs;
  int64_t length;
  int64_t ahead = 0;  ///< for Prefetch::kStream: how far to look, in elements
};

/// Right operand: row k begins at data + (k / length) * run_step + (k % length) * step and is read
/// in whole vectors, so up to kLanes - 1 elements past the last valid column must be readable.
template <typename T>
struct PanelOperand {
  const T* data;
  int64_t step;
  int64_t run_step;
  int64_t ahead = 0;        ///< as of ColumnOperand
  const T* next = nullptr;  ///< for Prefetch::kNext: `next_size` elements that a later call needs
  int64_t next_size = 0;
};

template <typename T>
using RowKernel = void (*)(const RowOperand<T>&, const PanelOperand<T>&, const BlockOutput<T>&);
template <typename T>
using ColumnKernel = void (*)(const ColumnOperand<T>&, const PanelOperand<T>&,
                              const BlockOutput<T>&);

/// Kernels for 1 <= rows <= max_..._kernel_rows(vectors) and 1 <= vectors, up to kWideVectors by
/// rows and kMaxVectors by columns.
template <typename T>
RowKernel<T> row_kernel(int64_t rows, int64_t vectors, Prefetch prefetch = Prefetch::kResult);
template <typename T>
ColumnKernel<T> column_kernel(int64_t rows, int64_t vectors, Prefetch prefetch = Prefetch::kResult);

constexpr int64_t max_row_kernel_rows(int64_t vectors) {
  return std::min<int64_t>(kMaxRows, kAccumulators / vectors);
}
constexpr int64_t max_column_kernel_rows(int64_t vectors) {
  return kAccumulators / vectors;
}

/// Cuts `size` items into the fewest parts of at most `largest`, sizes differing by one at most:
/// 17 rows become 6 + 6 + 5 rather than 8 + 8 + 1, which keeps every block efficient.
struct EvenSplit {
  EvenSplit(int64_t size, int64_t largest)
      : count((size + largest - 1) / largest),
        base(count > 0 ? size / count : 0),
        extra(count > 0 ? size % count : 0) {}
  int64_t first(int64_t part) const { return part * base + std::min(part, extra); }
  int64_t size(int64_t part) const { return base + (part < extra ? 1 : 0); }

  int64_t count;
  int64_t base;
  int64_t extra;
};

/// How `columns` columns are cut into panels of at most `widest` vectors.
template <typename T>
class PanelSplit {
 public:
  explicit PanelSplit(int64_t columns, int64_t widest = kMaxVectors)
      : columns_(columns), split_((columns + kLanes<T> - 1) / kLanes<T>, widest) {}
  int64_t count() const { return split_.count; }
  int64_t vectors(int64_t panel) const { return split_.size(panel); }
  int64_t first_column(int64_t panel) const { return split_.first(panel) * kLanes<T>; }
  /// Valid columns of a panel.
  int64_t columns(int64_t panel) const {
    return std::min(columns_ - first_column(panel), vectors(panel) * kLanes<T>);
  }
  /// All panels side by side, padded to whole vectors.
  int64_t padded_columns() const { return first_column(split_.count); }

 private:
  int64_t columns_;
  EvenSplit split_;
};

}  // namespace diagrad::kernels
