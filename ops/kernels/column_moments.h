#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/ops/kernels/moments.h"
#include "diagrad/ops/kernels/row_fold.h"
#include "diagrad/ops/kernels/scratch.h"

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

template <typename T>
void add_deviations(int64_t width, const T* __restrict x, const T* __restrict from,
                    T* __restrict sums, T* __restrict squares) {
  for (int64_t i = 0; i < width; ++i) {
    const T deviation = x[i] - from[i];
    sums[i] += deviation;
    squares[i] += deviation * deviation;
  }
}

/// Adds a block of lines. Deviations are taken from the block's own first line, whatever it is:
/// their squares sum up to at most `lines` times the squares around the mean, which bounds the
/// digits lost, with a single read of the block.
template <typename T>
void add_block(const RowFold& fold, const T* block, int64_t lines, int64_t width, T* scratch,
               ColumnMoments& moments) {
  std::fill(scratch, scratch + 2 * fold.width, T(0));
  for (int64_t line = 1; line < lines; ++line) {
    add_deviations(width, block + line * width, block, scratch, scratch + fold.width);
  }
  const auto size = static_cast<double>(lines);
  for (int64_t start = 0; start < width; start += fold.columns) {
    const T* __restrict first = block + start;
    const T* __restrict sums = scratch + start;
    const T* __restrict squares = scratch + fold.width + start;
    moments.add(size, [=](int64_t c) {
      const double sum = sums[c];
      return Moments{first[c] + sum / size, static_cast<double>(squares[c]) - sum * sum / size};
    });
  }
}

/// Adds `rows` contiguous rows. Calls make(first, count) before it reads rows [first, first +
/// count), which are then still in cache: whatever writes them can do so there.
template <typename T, typename Make>
void add_rows(const RowFold& fold, const T* x, int64_t rows, ColumnMoments& moments, Make make) {
  const Scratch<T> scratch(2 * fold.width);
  for_each_block(fold, rows, [&](int64_t row, int64_t lines, int64_t width) {
    make(row, lines * width / fold.columns);
    add_block(fold, x + row * fold.columns, lines, width, scratch.data(), moments);
  });
}

template <typename T>
void add_rows(const RowFold& fold, const T* x, int64_t rows, ColumnMoments& moments) {
  add_rows(fold, x, rows, moments, [](int64_t /*first*/, int64_t /*count*/) {});
}

}  // namespace diagrad::kernels
