#include "diagrad/ops/kernels/gemm.h"

#include <algorithm>
#include <array>

#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/kernels/micro_kernel.h"
#include "diagrad/ops/kernels/pack.h"
#include "diagrad/ops/kernels/row_product.h"
#include "diagrad/ops/kernels/scratch.h"

namespace diagrad::kernels {
namespace {

/// Multiply-adds below which a second thread does not pay for its start.
constexpr int64_t kSerialWork = int64_t{1} << 20;
/// Inner length of a pass: a panel of this length and 3 vectors lies in L2, its left rows in L1.
template <typename T>
constexpr int64_t kPassLength = 2048 / static_cast<int64_t>(sizeof(T));
/// The same for a single block of rows, where passes cost little. The rounding error of a sum of n
/// terms grows with n in one go, with n^(3/4) in parts of sqrt(n), and nothing averages out that of
/// a net's last layer: in ResNet-164 it was more than that of all layers before it.
constexpr int64_t kShortPassLength = 32;
/// The same where both operands are read from memory as they are, row by row: a panel of the right
/// one stays in L1 while all blocks of rows pass by.
constexpr int64_t kStreamLength = 128;
/// Bytes of a right operand that stays in cache while all rows of the left one pass by.
constexpr int64_t kResidentBytes = 65536;
/// Elements of operand and result above which they are taken to come from memory.
constexpr int64_t kStreamElements = int64_t{1} << 17;
/// Elements of the right operand that are packed at a time.
constexpr int64_t kPackedElements = int64_t{1} << 22;
/// Elements to pack that are worth a thread.
constexpr int64_t kPackingGrain = int64_t{1} << 16;
/// Panels that make packing a transposed left operand worth its time.
constexpr int64_t kPackLeftPanels = 6;
/// With less than this many full tiles the sum is cut into parts instead, if it gives enough.
constexpr int64_t kFewTiles = 8;
constexpr int64_t kFewParts = 4;
constexpr int64_t kMaxSumParts = 16;

/// What one thread computes at a time.
struct TileSize {
  int64_t rows = 240;
  int64_t panels = 24;
};

/// Smaller tiles for smaller products, so that there are enough of them to share, but not below
/// what is worth a thread.
template <typename T>
TileSize tile_size(int64_t m, int64_t panels, int64_t k) {
  constexpr int64_t kWantedTiles = 16;
  constexpr int64_t kPanelColumns = kMaxVectors * kLanes<T>;
  TileSize size;
  size.rows = std::min(size.rows, m);
  size.panels = std::min(size.panels, panels);
  const auto count = [&] {
    return EvenSplit(m, size.rows).count * EvenSplit(panels, size.panels).count;
  };
  while (count() < kWantedTiles && size.rows * size.panels * kPanelColumns * k > kSerialWork) {
    if (size.rows > kMaxRows && (size.rows > size.panels * kPanelColumns || size.panels == 1)) {
      size.rows = (size.rows + 1) / 2;
    } else if (size.panels > 1) {
      size.panels = (size.panels + 1) / 2;
    } else {
      break;
    }
  }
  return size;
}

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

struct Range {
  int64_t first;
  int64_t last;
};

/// Part of op(A) in blocks of at most kMaxRows rows, each stored by columns: the element (r, k) of
/// a block of R rows is at k * R + r.
template <typename T>
void pack_left(const Gemm<T>& g, Range rows, Range inner, T* packed) {
  const int64_t length = inner.last - inner.first;
  const EvenSplit blocks(rows.last - rows.first, kMaxRows);
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t row = rows.first + blocks.first(block);
    const int64_t count = blocks.size(block);
    if (g.transpose_a) {
      // A product over nothing may have no left side at all.
      const T* source = length > 0 ? g.a + inner.first * g.a_stride + row : g.a;
      for (int64_t k = 0; k < length; ++k, source += g.a_stride) {
        for (int64_t r = 0; r < count; ++r) packed[k * count + r] = source[r];
      }
    } else {
      const T* source = g.a + row * g.a_stride + inner.first;
      for (int64_t r = 0; r < count; ++r, source += g.a_stride) {
        for (int64_t k = 0; k < length; ++k) packed[k * count + r] = source[k];
      }
    }
    packed += count * length;
  }
}

/// Rows `rows` of panel `panel`, over the inner range `inner` of the product; `right` begins there.
/// `left` is that part of op(A) packed, or null to read A in place.
template <typename T>
void multiply_panel(const Gemm<T>& g, const PanelSplit<T>& split, int64_t panel,
                    PanelOperand<T> right, Range rows, Range inner, const T* left, bool streams) {
  const int64_t vectors = split.vectors(panel);
  const int64_t column = split.first_column(panel);
  const int64_t length = inner.last - inner.first;
  const bool by_columns = g.transpose_a && left == nullptr;
  const EvenSplit blocks(rows.last - rows.first,
                         by_columns ? max_column_kernel_rows(vectors) : kMaxRows);
  std::array<T*, kAccumulators> targets;
  std::array<const T*, kAccumulators> sources;
  BlockOutput<T> out{targets.data(), split.columns(panel), g.alpha};
  const bool first_pass = inner.first == 0;
  out.accumulate = g.accumulate || !first_pass;
  out.bias = g.bias != nullptr && first_pass ? g.bias + column : nullptr;
  constexpr int64_t kNoOffset = 0;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t row = rows.first + blocks.first(block);
    const int64_t count = blocks.size(block);
    for (int64_t r = 0; r < count; ++r) {
      targets[static_cast<size_t>(r)] = g.c + (row + r) * g.c_stride + column;
    }
    if (left != nullptr) {
      column_kernel<T>(count, vectors)({left, count, 0, 1, length}, right, out);
      left += count * length;
    } else if (by_columns) {
      // A product over nothing may have no left side at all.
      const T* source = length > 0 ? g.a + inner.first * g.a_stride + row : g.a;
      // The first to read a line asks for the one that the next pass will read in its place.
      const int64_t ahead = panel == 0 ? length * g.a_stride : 0;
      right.ahead = block == 0 ? length * g.b_stride : 0;
      column_kernel<T>(count, vectors, streams)({source, g.a_stride, 0, 1, length, ahead}, right,
                                                out);
    } else {
      for (int64_t r = 0; r < count; ++r) {
        sources[static_cast<size_t>(r)] = g.a + (row + r) * g.a_stride + inner.first;
      }
      row_kernel<T>(count, vectors)({sources.data(), &kNoOffset, 1, length}, right, out);
    }
  }
}

/// Packs rows `inner` of op(B).
template <typename T>
void pack_right(const Gemm<T>& g, const PanelSplit<T>& split, Range inner, bool parallel,
                T* packed) {
  const int64_t rows = inner.last - inner.first;
  const int64_t grain = kPackingGrain / (rows * kMaxVectors * kLanes<T> + 1) + 1;
  parallel_for(split.count(), parallel ? grain : split.count(), [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      T* target = packed + split.first_column(panel) * rows;
      if (g.transpose_b) {
        pack_panel_from_columns<T>(split, panel, rows, g.b + inner.first, g.b_stride, target);
      } else {
        pack_panel_from_rows<T>(
            split, panel, rows, [&](int64_t k) { return g.b + (inner.first + k) * g.b_stride; },
            target);
      }
    }
  });
}

/// The product in slabs of the inner index, each packed at once, then cut into tiles.
template <typename T>
void multiply(const Gemm<T>& g, bool parallel) {
  const PanelSplit<T> split(g.n);
  const bool in_place =
      !g.transpose_b && g.n % kLanes<T> == 0 && (g.m <= 4 * kMaxRows || !parallel);
  const bool streams = in_place && g.transpose_a;
  const int64_t pass_length = g.m <= kMaxRows ? kShortPassLength
                              : streams       ? kStreamLength
                                              : kPassLength<T>;
  const EvenSplit passes(std::max<int64_t>(g.k, 1), pass_length);
  const int64_t passes_per_slab =
      parallel ? std::max<int64_t>(1, kPackedElements / (split.padded_columns() * pass_length)) : 1;
  const Scratch<T> packed(
      in_place ? 0 : split.padded_columns() * std::min(g.k, passes_per_slab * (passes.base + 1)));
  const bool packs_left =
      g.transpose_a && !streams && split.count() >= kPackLeftPanels && g.m > kMaxRows;
  const TileSize tile = parallel ? tile_size<T>(g.m, split.count(), g.k) : TileSize{};
  const bool by_rows =
      !g.transpose_a && g.k > 0 && passes.count == 1 && split.count() <= tile.panels &&
      g.m * (g.k + g.n) >= kStreamElements &&
      split.padded_columns() * g.k * static_cast<int64_t>(sizeof(T)) <= kResidentBytes;
  const EvenSplit row_tiles(g.m, tile.rows);
  const EvenSplit panel_tiles(split.count(), tile.panels);
  for (int64_t pass = 0; pass < passes.count; pass += passes_per_slab) {
    const int64_t last_pass = std::min(pass + passes_per_slab, passes.count);
    const Range slab{passes.first(pass), std::min(passes.first(last_pass), g.k)};
    if (!in_place) pack_right(g, split, slab, parallel, packed.data());
    const Panels<T> panels{in_place ? g.b + slab.first * g.b_stride : packed.data(),
                           slab.last - slab.first, in_place ? g.b_stride : 0};
    const int64_t tiles = row_tiles.count * panel_tiles.count;
    parallel_for(tiles, parallel ? 1 : tiles, [&](int64_t first, int64_t last) {
      const Scratch<T> left(packs_left ? (row_tiles.base + 1) * (passes.base + 1) : 0);
      for (int64_t i = first; i < last; ++i) {
        const int64_t row_tile = i / panel_tiles.count;
        const int64_t panel_tile = i % panel_tiles.count;
        const int64_t row = row_tiles.first(row_tile);
        const Range rows{row, row + row_tiles.size(row_tile)};
        if (by_rows) {
          const RowProduct<T> part{rows.last - rows.first,
                                   g.k,
                                   g.a + row * g.a_stride,
                                   g.a_stride,
                                   g.c + row * g.c_stride,
                                   g.c_stride,
                                   g.alpha,
                                   g.bias,
                                   g.accumulate};
          multiply_rows(part, split, pass_length,
                        [&](int64_t panel, int64_t k) { return panels.at(split, panel, k); });
          continue;
        }
        const int64_t panel = panel_tiles.first(panel_tile);
        for (int64_t p = pass; p < last_pass; ++p) {
          const Range inner{passes.first(p), std::min(passes.first(p + 1), g.k)};
          if (packs_left) pack_left(g, rows, inner, left.data());
          for (int64_t j = panel; j < panel + panel_tiles.size(panel_tile); ++j) {
            multiply_panel(g, split, j, panels.at(split, j, inner.first - slab.first), rows, inner,
                           packs_left ? left.data() : nullptr, streams);
          }
        }
      }
    });
  }
}

/// A small result with a long sum: parts of the sum in parallel, added up in order.
template <typename T>
void multiply_in_parts(const Gemm<T>& g, const EvenSplit& parts) {
  const int64_t size = g.m * g.n;
  const Scratch<T> sums(size * parts.count);
  parallel_for(parts.count, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      Gemm<T> local = g;
      const int64_t k = parts.first(part);
      local.k = parts.size(part);
      local.a += g.transpose_a ? k * g.a_stride : k;
      local.b += g.transpose_b ? k : k * g.b_stride;
      local.c = sums.data() + part * size;
      local.c_stride = g.n;
      local.alpha = 1;
      local.bias = nullptr;
      local.accumulate = false;
      multiply(local, false);
    }
  });
  parallel_for(g.m, std::max<int64_t>(1, kSerialWork / 16 / (g.n * parts.count)),
               [&](int64_t first, int64_t last) {
                 for (int64_t row = first; row < last; ++row) {
                   T* target = g.c + row * g.c_stride;
                   for (int64_t column = 0; column < g.n; ++column) {
                     T sum = 0;
                     for (int64_t part = 0; part < parts.count; ++part) {
                       sum += sums.data()[part * size + row * g.n + column];
                     }
                     sum *= g.alpha;
                     if (g.bias != nullptr) sum += g.bias[column];
                     target[column] = g.accumulate ? target[column] + sum : sum;
                   }
                 }
               });
}

template <typename T>
int64_t work(const Gemm<T>& g) {
  return g.m * g.n * g.k;
}

}  // namespace

template <typename T>
void gemm(const Gemm<T>& product) {
  if (product.m == 0 || product.n == 0) return;
  if (work(product) < kSerialWork) return multiply(product, false);
  constexpr TileSize kTile;
  const int64_t tiles = EvenSplit(product.m, kTile.rows).count *
                        EvenSplit(PanelSplit<T>(product.n).count(), kTile.panels).count;
  const int64_t parts = std::min(kMaxSumParts, product.k / (2 * kPassLength<T>));
  if (tiles < kFewTiles && parts >= kFewParts) {
    return multiply_in_parts(product, EvenSplit(product.k, (product.k + parts - 1) / parts));
  }
  multiply(product, true);
}

template <typename T>
void gemm_batch(const Gemm<T>& product, std::span<const GemmOffsets> offsets) {
  const auto count = static_cast<int64_t>(offsets.size());
  const auto at = [&](int64_t entry) {
    const GemmOffsets& offset = offsets[static_cast<size_t>(entry)];
    Gemm<T> result = product;
    result.a += offset.a;
    result.b += offset.b;
    result.c += offset.c;
    result.accumulate |= entry > 0 && offsets[static_cast<size_t>(entry - 1)].c == offset.c;
    return result;
  };
  const auto repeats = [&](int64_t entry) {
    return entry > 0 &&
           offsets[static_cast<size_t>(entry - 1)].c == offsets[static_cast<size_t>(entry)].c;
  };
  if (product.m == 0 || product.n == 0 || count == 0) return;
  if (count == 1 || work(product) >= 16 * kSerialWork) {
    for (int64_t entry = 0; entry < count; ++entry) gemm(at(entry));
    return;
  }
  const int64_t grain = std::max<int64_t>(1, kSerialWork / std::max<int64_t>(1, work(product)));
  parallel_for(count, grain, [&](int64_t first, int64_t last) {
    // A chunk takes the whole of every sum that begins in it.
    while (first < last && repeats(first)) ++first;
    if (first == last) return;
    while (last < count && repeats(last)) ++last;
    for (int64_t entry = first; entry < last; ++entry) multiply(at(entry), false);
  });
}

template void gemm<float>(const Gemm<float>&);
template void gemm<double>(const Gemm<double>&);
template void gemm_batch<float>(const Gemm<float>&, std::span<const GemmOffsets>);
template void gemm_batch<double>(const Gemm<double>&, std::span<const GemmOffsets>);

}  // namespace diagrad::kernels
