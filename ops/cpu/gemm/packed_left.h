#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {

/// A part of the left operand of a product, copied because many panels of the right one meet it:
/// in place, rows a power of two apart compete for a few lines of the caches.
template <typename T>
class PackedLeft {
 public:
  PackedLeft(int64_t most_rows, int64_t most_inner)
      : data_(most_rows * (most_inner + kGap)), stride_(most_inner + kGap) {}

  /// `rows` rows of `inner` elements, `stride` apart: then row(r) is one of them.
  void copy_rows(const T* source, int64_t stride, int64_t rows, int64_t inner) {
    for (int64_t r = 0; r < rows; ++r, source += stride) {
      std::copy_n(source, inner, data_.data() + r * stride_);
    }
  }
  const T* row(int64_t row) const { return data_.data() + row * stride_; }

  /// `inner` rows of a transposed operand: then columns(first, inner) is the block of `blocks`
  /// that begins at row `first` of the operand. A block of R rows has its element (r, k) at
  /// k * R + r.
  void copy_columns(const T* source, int64_t stride, const EvenSplit& blocks, int64_t inner) {
    for (int64_t k = 0; k < inner; k += kTogether, source += kTogether * stride) {
      const int64_t count = std::min(kTogether, inner - k);
      for (int64_t block = 0; block < blocks.count; ++block) {
        const int64_t first = blocks.first(block);
        const int64_t rows = blocks.size(block);
        const T* from = source + first;
        T* to = data_.data() + first * inner + k * rows;
        for (int64_t i = 0; i < count; ++i, from += stride, to += rows) {
          if (rows == kMaxRows) {
            std::copy_n(from, kMaxRows, to);
          } else {
            std::copy_n(from, rows, to);
          }
        }
      }
    }
  }
  const T* columns(int64_t first, int64_t inner) const { return data_.data() + first * inner; }

 private:
  /// Keeps rows from lying a power of two apart.
  static constexpr int64_t kGap = kLanes<T>;
  /// Rows of a transposed operand that are read side by side.
  static constexpr int64_t kTogether = 8;

  Scratch<T> data_;
  int64_t stride_;
};

}  // namespace diagrad::kernels
