#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/parallel.h"
#include "diagrad/core/shape.h"
#include "diagrad/ops/kernels/row_fold.h"

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

  /// totals [B, columns] = for each image and column the sum over its rows, times `factor`.
  /// `make_line(image)` gives, once per part, a function line(offset, width, sums) as in
  /// add_column_sums; offsets are in elements from the start of the tensor.
  template <typename T, typename MakeLine>
  void sum(T* totals, double factor, MakeLine make_line) const {
    const RowFold fold(columns);
    const Scratch<double> partial(images * parts * columns);
    for_each([&](int64_t image, int64_t index, int64_t first, int64_t count) {
      double* const part = partial.data() + (image * parts + index) * columns;
      std::fill(part, part + columns, 0.0);
      const auto line = make_line(image);
      add_column_sums<1, T>(fold, count, part, [&](int64_t offset, int64_t width, T* sums) {
        line(first * columns + offset, width, sums);
      });
    });
    for (int64_t image = 0; image < images; ++image) {
      const double* const first = partial.data() + image * parts * columns;
      for (int64_t c = 0; c < columns; ++c) {
        double total = 0.0;
        for (int64_t index = 0; index < parts; ++index) total += first[index * columns + c];
        totals[image * columns + c] = static_cast<T>(total * factor);
      }
    }
  }

  int64_t images;
  int64_t rows;
  int64_t columns;
  int64_t parts;
  int64_t rows_of_part;
};

}  // namespace diagrad::kernels
