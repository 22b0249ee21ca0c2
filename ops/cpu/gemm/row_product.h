#pragma once

#include <array>
#include <cstdint>

#include "diagrad/ops/cpu/gemm/micro_kernel.h"

namespace diagrad::kernels {

/// How many rows ahead row products ask for what they will read and write.
inline constexpr int64_t kRowsAhead = 16;

/// C = alpha * A * B (+ bias) (+ C), A [rows, inner], where B is small enough to stay in cache
/// while A and C stream through once.
template <typename T>
struct RowProduct {
  int64_t rows;
  int64_t inner;  ///< at least 1
  const T* a;
  int64_t a_stride;
  T* c;
  int64_t c_stride;
  T alpha = 1;
  const T* bias = nullptr;
  bool accumulate = false;
  Prefetch prefetch = Prefetch::kStream;
};

/// Runs on the calling thread: for each block of rows all panels of `split`, then the next block.
/// panel_at(panel, k) is row k of a panel of B. No more than `pass_length` terms are summed in
/// registers; the others are added to C.
template <typename T, typename PanelAt>
void multiply_rows(const RowProduct<T>& p, const PanelSplit<T>& split, int64_t pass_length,
                   const PanelAt& panel_at) {
  constexpr int64_t kNoOffset = 0;
  const int64_t block_rows = max_row_kernel_rows(split.count() > 0 ? split.vectors(0) : 1);
  const EvenSplit blocks(p.rows, block_rows);
  const EvenSplit passes(p.inner, pass_length);
  const int64_t result_step = block_rows * p.c_stride / (passes.base * split.count()) + 1;
  std::array<const T*, kMaxRows> sources;
  std::array<T*, kMaxRows> targets;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t count = blocks.size(block);
    const T* const source = p.a + blocks.first(block) * p.a_stride;
    T* const target = p.c + blocks.first(block) * p.c_stride;
    Ahead<T> result{target + kRowsAhead * p.c_stride, result_step};
    for (int64_t pass = 0; pass < passes.count; ++pass) {
      const int64_t k = passes.first(pass);
      const int64_t length = passes.size(pass);
      // The first panel prefetches rows of A, all panels of the first pass rows of C.
      Ahead<T> left{source + kRowsAhead * p.a_stride + block_rows * k, block_rows};
      for (int64_t panel = 0; panel < split.count(); ++panel) {
        const int64_t column = split.first_column(panel);
        for (int64_t r = 0; r < count; ++r) {
          sources[static_cast<size_t>(r)] = source + r * p.a_stride + k;
          targets[static_cast<size_t>(r)] = target + r * p.c_stride + column;
        }
        BlockOutput<T> out{targets.data(), split.columns(panel), p.alpha};
        out.accumulate = p.accumulate || pass > 0;
        out.bias = p.bias != nullptr && pass == 0 ? p.bias + column : nullptr;
        row_kernel<T>(count, split.vectors(panel), p.prefetch)(
            {sources.data(), &kNoOffset, 1, length, left, result}, panel_at(panel, k), out);
        left = {source, 0};
        result.data += length * result_step;
      }
      result = {target, 0};
    }
  }
}

}  // namespace diagrad::kernels
