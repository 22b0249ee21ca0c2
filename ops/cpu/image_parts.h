#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/parallel.h"
#include "diagrad/core/shape.h"
#include "diagrad/ops/cpu/channel_tiling.h"

namespace diagrad::kernels {

/// A tensor [B, ..., C] as B images of `rows` rows of `columns` values, for operations with
/// coefficients or sums per image and channel. Large images are cut into parts so that one image
/// keeps all threads busy; the cut depends on the shape alone.
struct ImageParts {
  static constexpr int64_t kPartValues = 65536;

  explicit ImageParts(const Shape& shape)
      : images(shape[0]),
        rows(shape.numel(1, shape.rank() - 1)),
        columns(shape.back()),
        parts(std::clamp<int64_t>(rows * columns / kPartValues, 1, ChunkPlan::kMaxChunks)),
        rows_of_part((rows + parts - 1) / parts) {}

  /// Calls part(image, index, first_row, row_count) in parallel. Rows count from the first of the
  /// tensor; parts may be empty.
  template <typename Part>
  void for_each(Part part) const {
    const int64_t grain = kRowGrainValues / std::max<int64_t>(rows_of_part * columns, 1);
    parallel_for(images * parts, grain, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t image = item / parts;
        const int64_t index = item % parts;
        const int64_t begin = std::min(index * rows_of_part, rows);
        const int64_t end = std::min(begin + rows_of_part, rows);
        part(image, index, image * rows + begin, end - begin);
      }
    });
  }

  /// totals [kTerms, B, columns] = for each image and column kTerms sums over its rows.
  /// `make_line(image)` gives, once per part, a function line(offset, width, sums) as in
  /// add_column_sums; offsets are in elements from the start of the tensor.
  template <int kTerms, typename T, typename MakeLine>
  void sums(double* totals, MakeLine make_line) const {
    const ChannelTiling tiling(columns);
    const int64_t size = kTerms * columns;
    const Scratch<double> partial(images * parts * size);
    for_each([&](int64_t image, int64_t index, int64_t first, int64_t count) {
      double* const part = partial.data() + (image * parts + index) * size;
      std::fill(part, part + size, 0.0);
      const auto line = make_line(image);
      add_column_sums<kTerms, T>(tiling, count, part, [&](int64_t offset, int64_t width, T* sum) {
        line(first * columns + offset, width, sum);
      });
    });
    std::fill(totals, totals + images * size, 0.0);
    for (int64_t item = 0; item < images * parts; ++item) {
      for (int term = 0; term < kTerms; ++term) {
        const double* const part = partial.data() + item * size + term * columns;
        double* const total = totals + (term * images + item / parts) * columns;
        for (int64_t c = 0; c < columns; ++c) total[c] += part[c];
      }
    }
  }

  /// totals [B, columns] = one such sum, times `factor`.
  template <typename T, typename MakeLine>
  void sum(T* totals, double factor, MakeLine make_line) const {
    const Scratch<double> exact(images * columns);
    sums<1, T>(exact.data(), make_line);
    for (int64_t i = 0; i < images * columns; ++i) {
      totals[i] = static_cast<T>(exact.data()[i] * factor);
    }
  }

  int64_t images;
  int64_t rows;
  int64_t columns;
  int64_t parts;
  int64_t rows_of_part;
};

}  // namespace diagrad::kernels
