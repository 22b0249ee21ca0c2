#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/cpu/gemm/scratch.h"
#include "diagrad/ops/cpu/moments.h"

namespace diagrad::kernels {

/// Mean and sum of squared deviations of every column.
struct ColumnMoments {
  explicit ColumnMoments(double* data, int64_t column_count)
      : columns(column_count), mean(data), squares(data + column_count) {
    std::fill(data, data + 2 * columns, 0.0);
  }

  /// Adds a set of `part_size` values per column; part(c) gives the moments of column c.
  template <typename Part>
  void add(double part_size, Part part) {
    double* __restrict to_mean = mean;
    double* __restrict to_squares = squares;
    for (int64_t c = 0; c < columns; ++c) {
      const Moments sum = merge({to_mean[c], to_squares[c]}, count, part(c), part_size);
      to_mean[c] = sum.mean;
      to_squares[c] = sum.squares;
    }
    count += part_size;
  }

  int64_t columns;
  double* mean;
  double* squares;
  double count = 0.0;
};

/// Vectors of a line whose sums are kept in registers while the lines of a block go by.
inline constexpr int kDeviationVectors = kVectorRegisters == 32 ? 8 : 4;

/// Over `lines` lines of `width` values each, from vector to vector `stride` values: the sums of
/// x - from and of its square, for kVectors vectors.
template <int kVectors, typename T>
inline void sum_deviations(int64_t lines, int64_t stride, const T* x, const T* from, T* sums,
                           T* squares) {
  Vec<T> sum[kVectors] = {};
  Vec<T> square[kVectors] = {};
  for (int64_t line = 0; line < lines; ++line, x += stride) {
    DG_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Vec<T> deviation = load(x + v * kLanes<T>) - load(from + v * kLanes<T>);
      sum[v] += deviation;
      square[v] += deviation * deviation;
    }
  }
  DG_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    store<T>(sums + v * kLanes<T>, sum[v]);
    store<T>(squares + v * kLanes<T>, square[v]);
  }
}

/// Adds blocks of lines to moments with a single read. Deviations are taken from the mean of the
/// blocks before, or from the first row where there are none, and summed up in T within a block, in
/// double beyond. They join the moments, and a new mean is taken, whenever their number has
/// doubled: docs/notes/batch_norm.md says how few digits that loses.
template <typename T>
class BlockMoments {
 public:
  BlockMoments(const ChannelTiling& tiling, ColumnMoments& moments)
      : tiling_(tiling), moments_(moments), lines_(3 * tiling.width), totals_(2 * tiling.columns) {}

  void add(const T* block, int64_t lines, int64_t width) {
    if (count_ >= moments_.count) begin_span(block);
    add_deviations(block, lines, width);
    add_repeats(width);
    const int64_t rows = lines * width / tiling_.columns;
    count_ += static_cast<double>(rows);
  }

  /// Brings the moments up to date.
  void finish() {
    if (count_ == 0.0) return;
    const T* const from = lines_.data();
    const double* const sums = totals_.data();
    const double* const squares = sums + tiling_.columns;
    moments_.add(count_, [=, count = count_](int64_t c) {
      const double sum = sums[c];
      return Moments{static_cast<double>(from[c]) + sum / count, squares[c] - sum * sum / count};
    });
    count_ = 0.0;
  }

 private:
  void begin_span(const T* first_row) {
    finish();
    T* const from = lines_.data();
    for (int64_t c = 0; c < tiling_.columns; ++c) {
      from[c] = moments_.count > 0.0 ? static_cast<T>(moments_.mean[c]) : first_row[c];
    }
    for (int64_t i = tiling_.columns; i < tiling_.width; ++i) from[i] = from[i - tiling_.columns];
    std::fill(totals_.data(), totals_.data() + 2 * tiling_.columns, 0.0);
  }

  void add_deviations(const T* block, int64_t lines, int64_t width) const {
    const T* const from = lines_.data();
    T* const sums = lines_.data() + tiling_.width;
    T* const squares = sums + tiling_.width;
    constexpr int64_t kStep = kDeviationVectors * kLanes<T>;
    int64_t i = 0;
    for (; i + kStep <= width; i += kStep) {
      sum_deviations<kDeviationVectors>(lines, width, block + i, from + i, sums + i, squares + i);
    }
    for (; i + kLanes<T> <= width; i += kLanes<T>) {
      sum_deviations<1>(lines, width, block + i, from + i, sums + i, squares + i);
    }
    for (; i < width; ++i) {
      T sum = 0;
      T square = 0;
      for (int64_t line = 0; line < lines; ++line) {
        const T deviation = block[line * width + i] - from[i];
        sum += deviation;
        square += deviation * deviation;
      }
      sums[i] = sum;
      squares[i] = square;
    }
  }

  /// Adds the sums over a line to those of the columns.
  void add_repeats(int64_t width) const {
    const int64_t columns = tiling_.columns;
    for (int term = 0; term < 2; ++term) {
      const T* __restrict line = lines_.data() + (term + 1) * tiling_.width;
      double* __restrict total = totals_.data() + term * columns;
      for (int64_t start = 0; start < width; start += columns) {
        for (int64_t c = 0; c < columns; ++c) total[c] += static_cast<double>(line[start + c]);
      }
    }
  }

  const ChannelTiling& tiling_;
  ColumnMoments& moments_;
  double count_ = 0.0;  ///< rows whose deviations have not joined the moments
  Scratch<T> lines_;    ///< where deviations are taken from, their sums and those of their squares
  Scratch<double> totals_;
};

/// Adds `rows` contiguous rows. Calls make(first, count) before it reads rows [first, first +
/// count), which are then still in cache: whatever writes them can do so there.
template <typename T, typename Make>
void add_rows(const ChannelTiling& tiling, const T* x, int64_t rows, ColumnMoments& moments,
              Make make) {
  BlockMoments<T> blocks(tiling, moments);
  for_each_block(tiling, rows, [&](int64_t row, int64_t lines, int64_t width) {
    make(row, lines * width / tiling.columns);
    blocks.add(x + row * tiling.columns, lines, width);
  });
  blocks.finish();
}

template <typename T>
void add_rows(const ChannelTiling& tiling, const T* x, int64_t rows, ColumnMoments& moments) {
  add_rows(tiling, x, rows, moments, [](int64_t /*first*/, int64_t /*count*/) {});
}

/// Differences from a pivot lose the mean of a column that holds an infinity. It is taken again as
/// the sum over the `rows` rows of x by their number: infinite, or NaN where that is right.
template <typename T>
void restore_infinite_means(const T* x, int64_t rows, ColumnMoments& moments) {
  for (int64_t c = 0; c < moments.columns; ++c) {
    if (!std::isnan(moments.mean[c])) continue;
    double sum = 0.0;
    for (int64_t row = 0; row < rows && !std::isnan(sum); ++row) {
      sum += static_cast<double>(x[row * moments.columns + c]);
    }
    moments.mean[c] = sum / static_cast<double>(rows);
  }
}

}  // namespace diagrad::kernels
