#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/gemm/gemm.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/pack.h"

namespace diagrad::kernels {

/// Elements to pack that are worth a thread.
inline constexpr int64_t kPackingGrain = int64_t{1} << 16;

/// Indices [first, last) of rows, panels or passes.
struct Range {
  int64_t first;
  int64_t last;
};

/// The right operand as panels, packed or in place.
template <typename T>
struct Panels {
  const T* data;
  int64_t rows;    ///< packed: rows of each panel
  int64_t stride;  ///< in place: between rows; 0 when packed

  PanelOperand<T> at(const PanelSplit<T>& split, int64_t panel, int64_t k) const {
    const int64_t first = split.first_column(panel);
    if (stride > 0) return {data + k * stride + first, stride, 0};
    const int64_t width = split.vectors(panel) * kLanes<T>;
    return {data + first * rows + k * width, width, 0};
  }
};

/// The right operand of a product as it is packed: rows `slab` of op(B) in panels.
template <typename T>
class PackedRight {
 public:
  PackedRight(const Gemm<T>& g, const PanelSplit<T>& split, Range slab, T* packed)
      : g_(g), split_(split), slab_(slab), groups_(rows(), rows_together()), data_(packed) {}

  void pack(Range panels) const {
    if (g_.transpose_b) return pack_columns(panels);
    for (int64_t group = 0; group < groups_.count; ++group) pack_group(group, panels);
  }

  /// All panels, in parallel.
  void pack() const {
    if (g_.transpose_b) {
      parallel_for(split_.count(), kPackingGrain / (rows() * kMaxVectors * kLanes<T> + 1) + 1,
                   [&](int64_t first, int64_t last) {
                     pack_columns({first, last});
                   });
    } else {
      parallel_for(groups_.count, kPackingGrain / (rows_together() * split_.padded_columns()) + 1,
                   [&](int64_t first, int64_t last) {
                     for (int64_t group = first; group < last; ++group) {
                       pack_group(group, {0, split_.count()});
                     }
                   });
    }
  }

 private:
  int64_t rows() const { return slab_.last - slab_.first; }
  /// Rows that go through all panels together: a few, so that memory is read along its rows, or
  /// all of what is in cache anyway.
  int64_t rows_together() const {
    constexpr int64_t kFew = 16;
    return rows() * split_.padded_columns() > kPackingGrain ? kFew : std::max<int64_t>(rows(), 1);
  }
  T* panel(int64_t index) const { return data_ + split_.first_column(index) * rows(); }
  void pack_columns(Range panels) const {
    for (int64_t j = panels.first; j < panels.last; ++j) {
      pack_panel_from_columns<T>(split_, j, rows(), g_.b + slab_.first, g_.b_stride, panel(j));
    }
  }
  void pack_group(int64_t group, Range panels) const {
    const int64_t row = groups_.first(group);
    const int64_t stride = g_.b_stride;
    const T* const source = g_.b + (slab_.first + row) * stride;
    for (int64_t j = panels.first; j < panels.last; ++j) {
      pack_panel_from_rows<T>(
          split_, j, groups_.size(group),
          [source, stride](int64_t k) { return source + k * stride; },
          panel(j) + row * split_.vectors(j) * kLanes<T>);
    }
  }

  const Gemm<T>& g_;
  const PanelSplit<T>& split_;
  const Range slab_;
  const EvenSplit groups_;
  T* const data_;
};

}  // namespace diagrad::kernels
