#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"

namespace diagrad::kernels {

// The right operand of a product is copied once into panels: panel p holds, for each k, its
// vectors(p) * kLanes columns side by side, padded with zeros. Panel p of a matrix with K rows
// begins at first_column(p) * K.

/// Packs panel `panel` of a matrix whose row k begins at row(k).
template <typename T, typename Row>
void pack_panel_from_rows(const PanelSplit<T>& split, int64_t panel, int64_t rows, Row row,
                          T* packed) {
  const int64_t vectors = split.vectors(panel);
  const int64_t first = split.first_column(panel);
  const int64_t tail = split.columns(panel) - (vectors - 1) * kLanes<T>;
  for (int64_t k = 0; k < rows; ++k) {
    const T* source = row(k) + first;
    for (int64_t v = 0; v + 1 < vectors; ++v, source += kLanes<T>, packed += kLanes<T>) {
      store<T>(packed, load(source));
    }
    store<T>(packed, tail == kLanes<T> ? load(source) : load_partial(source, tail));
    packed += kLanes<T>;
  }
}

/// Packs panel `panel` of the transpose of a matrix: column c begins at columns + c * stride and
/// its elements follow each other.
template <typename T>
void pack_panel_from_columns(const PanelSplit<T>& split, int64_t panel, int64_t rows,
                             const T* columns, int64_t stride, T* packed) {
  if (rows == 0) return;  // there may be no matrix
  constexpr int kCount = kLanes<T>;
  const int64_t width = split.vectors(panel) * kCount;
  const int64_t valid = split.columns(panel);
  columns += split.first_column(panel) * stride;
  for (int64_t v = 0; v < width; v += kCount) {
    const T* source = columns + v * stride;
    T* target = packed + v;
    const int64_t count = std::min<int64_t>(kCount, valid - v);
    int64_t k = 0;
    for (; k + kCount <= rows; k += kCount) {
      Vec<T> block[kCount];
      DG_UNROLL
      for (int lane = 0; lane < kCount; ++lane) {
        block[lane] = lane < count ? load(source + lane * stride + k) : Vec<T>{};
      }
      transpose_lanes<T>(block);
      DG_UNROLL
      for (int lane = 0; lane < kCount; ++lane) store<T>(target + (k + lane) * width, block[lane]);
    }
    for (; k < rows; ++k) {
      for (int64_t lane = 0; lane < count; ++lane)
        target[k * width + lane] = source[lane * stride + k];
      for (int64_t lane = count; lane < kCount; ++lane) target[k * width + lane] = 0;
    }
  }
}

}  // namespace diagrad::kernels
