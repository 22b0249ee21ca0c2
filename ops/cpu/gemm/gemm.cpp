#include "diagrad/ops/cpu/gemm/gemm.h"

#include <algorithm>
#include <array>

#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/packed_left.h"
#include "diagrad/ops/cpu/gemm/packed_right.h"
#include "diagrad/ops/cpu/gemm/row_product.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

/// Multiply-adds of the smallest part that is worth a turn of a thread.
constexpr int64_t kTileWork = int64_t{1} << 20;
/// Multiply-adds up to which a second thread does not pay where the right operand is packed: what
/// one has packed must come to the other's cache.
constexpr int64_t kSerialWork = int64_t{1} << 21;
/// Rows and elements of the right operand up to which all threads read it in place.
constexpr int64_t kFewRows = 256;
constexpr int64_t kInPlaceElements = int64_t{1} << 16;
/// Inner length of a pass: a panel of this length and 3 vectors fits L2, its left rows fit L1.
template <typename T>
constexpr int64_t kPassLength = 2816 / static_cast<int64_t>(sizeof(T));
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
/// Sums that leave time to ask for one thing after the other.
constexpr int64_t kLongSum = 128;
/// Panels that make packing a left operand worth its time: a transposed one, and one whose rows lie
/// so many bytes apart that those of a tile compete for the same lines of the second-level cache.
constexpr int64_t kPackColumnsPanels = 6;
constexpr int64_t kPackRowsPanels = 16;
constexpr int64_t kCompetingRows = 8192;
/// With less than this many full tiles and elements the sum is cut into parts instead, if it gives
/// enough.
constexpr int64_t kFewTiles = 8;
constexpr int64_t kFewElements = int64_t{1} << 18;
constexpr int64_t kFewParts = 4;
template <typename T>
constexpr int64_t kPartLength = 4096 / static_cast<int64_t>(sizeof(T));
constexpr int64_t kMaxSumParts = 16;

/// What one thread computes at a time.
struct TileSize {
  int64_t rows = 240;
  int64_t panels = 24;
};

/// Smaller tiles for smaller products, so that there are enough of them to share, but not below
/// what is worth a thread. `whole_rows`: all panels stay in one tile.
template <typename T>
TileSize tile_size(int64_t m, int64_t panels, int64_t k, bool whole_rows = false) {
  constexpr int64_t kWantedTiles = 16;
  constexpr int64_t kPanelColumns = kMaxVectors * kLanes<T>;
  TileSize size;
  size.rows = EvenSplit(m, size.rows).size(0);
  size.panels = EvenSplit(panels, size.panels).size(0);
  const auto count = [&] {
    return EvenSplit(m, size.rows).count * EvenSplit(panels, size.panels).count;
  };
  while (count() < kWantedTiles && size.rows * size.panels * kPanelColumns * k > kTileWork) {
    const bool tall = size.rows > size.panels * kPanelColumns || size.panels == 1 || whole_rows;
    if (size.rows > kMaxRows && tall) {
      size.rows = (size.rows + 1) / 2;
    } else if (size.panels > 1 && !whole_rows) {
      size.panels = (size.panels + 1) / 2;
    } else {
      break;
    }
  }
  return size;
}

/// Rows `rows` of op(A), over the inner range `inner`.
template <typename T>
void pack_left(const Gemm<T>& g, Range rows, Range inner, PackedLeft<T>& packed) {
  const int64_t length = inner.last - inner.first;
  if (length == 0) return;  // A product over nothing may have no left side at all.
  if (g.transpose_a) {
    packed.copy_columns(g.a + inner.first * g.a_stride + rows.first, g.a_stride,
                        EvenSplit(rows.last - rows.first, kMaxRows), length);
  } else {
    packed.copy_rows(g.a + rows.first * g.a_stride + inner.first, g.a_stride,
                     rows.last - rows.first, length);
  }
}

/// Rows `rows` of panel `panel`, over the inner range `inner` of the product; `right` begins there.
/// `left` is that part of op(A) packed, or null to read A in place.
template <typename T>
void multiply_panel(const Gemm<T>& g, const PanelSplit<T>& split, int64_t panel,
                    PanelOperand<T> right, Range rows, Range inner, const PackedLeft<T>* left,
                    Prefetch prefetch) {
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
  // Each block prefetches its share of the next panel.
  const int64_t share = right.next_size / blocks.count + 1;
  const T* const next_end = right.next + right.next_size;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t row = rows.first + blocks.first(block);
    const int64_t count = blocks.size(block);
    right.next_size = std::min(share, next_end - right.next);
    for (int64_t r = 0; r < count; ++r) {
      targets[static_cast<size_t>(r)] = g.c + (row + r) * g.c_stride + column;
    }
    if (left != nullptr && g.transpose_a) {
      column_kernel<T>(count, vectors, prefetch)(
          {left->columns(blocks.first(block), length), count, 0, 1, length}, right, out);
    } else if (by_columns) {
      // A product over nothing may have no left side at all.
      const T* source = length > 0 ? g.a + inner.first * g.a_stride + row : g.a;
      // The first to read a line prefetches the one that the next pass reads in its place.
      const int64_t ahead = panel == 0 ? length * g.a_stride : 0;
      right.ahead = block == 0 ? length * g.b_stride : 0;
      column_kernel<T>(count, vectors, prefetch)({source, g.a_stride, 0, 1, length, ahead}, right,
                                                 out);
    } else {
      for (int64_t r = 0; r < count; ++r) {
        sources[static_cast<size_t>(r)] = left != nullptr
                                              ? left->row(blocks.first(block) + r)
                                              : g.a + (row + r) * g.a_stride + inner.first;
      }
      row_kernel<T>(count, vectors, prefetch)({sources.data(), &kNoOffset, 1, length}, right, out);
    }
    right.next += right.next_size;
  }
}

template <typename T>
bool packing_left_pays(const Gemm<T>& g, int64_t panels) {
  if (g.m <= kMaxRows) return false;
  if (g.transpose_a) return panels >= kPackColumnsPanels;
  return panels >= kPackRowsPanels &&
         g.a_stride * static_cast<int64_t>(sizeof(T)) % kCompetingRows == 0;
}

/// Whether the rows of the right operand can be read as panels: they are whole vectors.
template <typename T>
bool readable_in_place(const Gemm<T>& g) {
  return !g.transpose_b && g.n % kLanes<T> == 0;
}

/// Whether packing the right operand would cost more than it gives.
template <typename T>
bool few_in_place(const Gemm<T>& g) {
  return readable_in_place(g) && g.m <= kFewRows && g.k * g.n <= kInPlaceElements;
}

/// Whether the right operand stays in cache while rows of the left one and of the result stream
/// through, once each.
template <typename T>
bool streams_rows(const Gemm<T>& g) {
  constexpr TileSize kTile;
  const PanelSplit<T> split(g.n, kWideVectors);
  return !g.transpose_a && g.k > 0 && g.k <= kPassLength<T> && g.m > kMaxRows &&
         split.count() <= kTile.panels && g.m * (g.k + g.n) >= kStreamElements &&
         split.padded_columns() * g.k * static_cast<int64_t>(sizeof(T)) <= kResidentBytes;
}

/// A product in slabs of the inner index, each cut into tiles. Panels of the right operand are
/// packed at once for all rows of tiles, or by the tile that alone needs them.
template <typename T>
class TiledProduct {
 public:
  TiledProduct(const Gemm<T>& product, bool parallel);
  void run();

 private:
  void run_slab(int64_t pass);
  void run_tile(int64_t tile, Range slab, Range passes, PackedLeft<T>& left);
  void multiply_tile(Range rows, Range panels, Range slab, Range passes, PackedLeft<T>& left);

  Range inner(int64_t pass) const {
    return {passes_.first(pass), std::min(passes_.first(pass + 1), g_.k)};
  }
  Range panels_of(int64_t tile) const {
    const int64_t panel_tile = tile % panel_tiles_.count;
    const int64_t panel = panel_tiles_.first(panel_tile);
    return {panel, panel + panel_tiles_.size(panel_tile)};
  }
  /// Panels whose rows begin with row slab.first.
  Panels<T> right(Range slab) const {
    if (in_place_) return {g_.b + slab.first * g_.b_stride, 0, g_.b_stride};
    return {packed_.data(), slab.last - slab.first, 0};
  }

  const Gemm<T>& g_;
  const bool parallel_;
  const bool by_rows_;
  const PanelSplit<T> split_;
  const bool in_place_;
  const bool streams_;
  const int64_t pass_length_;
  const EvenSplit passes_;
  const int64_t passes_per_slab_;
  const Scratch<T> packed_;
  const bool packs_left_;
  const TileSize tile_;
  const Prefetch prefetch_;
  const EvenSplit row_tiles_;
  const EvenSplit panel_tiles_;
};

template <typename T>
TiledProduct<T>::TiledProduct(const Gemm<T>& product, bool parallel)
    : g_(product),
      parallel_(parallel),
      by_rows_(streams_rows(g_)),
      split_(g_.n, by_rows_ ? kWideVectors : kMaxVectors),
      in_place_(readable_in_place(g_) && (g_.m <= 4 * kMaxRows || !parallel || few_in_place(g_))),
      streams_(in_place_ && g_.transpose_a),
      pass_length_(g_.m <= kMaxRows ? kShortPassLength
                   : streams_       ? kStreamLength
                                    : kPassLength<T>),
      passes_(std::max<int64_t>(g_.k, 1), pass_length_),
      passes_per_slab_(parallel ? std::max<int64_t>(
                                      1, kPackedElements / (split_.padded_columns() * pass_length_))
                                : 1),
      packed_(in_place_ ? 0
                        : split_.padded_columns() *
                              std::min(g_.k, passes_per_slab_ * (passes_.base + 1))),
      packs_left_(parallel && !streams_ && packing_left_pays(g_, split_.count())),
      tile_(parallel ? tile_size<T>(g_.m, split_.count(), g_.k, by_rows_) : TileSize{}),
      prefetch_(streams_                                                     ? Prefetch::kStream
                : passes_.base >= kLongSum && g_.m * g_.n >= kStreamElements ? Prefetch::kNext
                                                                             : Prefetch::kResult),
      row_tiles_(g_.m, tile_.rows),
      panel_tiles_(split_.count(), tile_.panels) {}

template <typename T>
void TiledProduct<T>::run() {
  for (int64_t pass = 0; pass < passes_.count; pass += passes_per_slab_) run_slab(pass);
}

template <typename T>
void TiledProduct<T>::run_slab(int64_t pass) {
  const Range passes{pass, std::min(pass + passes_per_slab_, passes_.count)};
  const Range slab{inner(passes.first).first, inner(passes.last - 1).last};
  const PackedRight<T> right(g_, split_, slab, packed_.data());
  if (!in_place_ && row_tiles_.count > 1) right.pack();
  const int64_t tiles = row_tiles_.count * panel_tiles_.count;
  parallel_for(tiles, parallel_ ? 1 : tiles, [&](int64_t first, int64_t last) {
    PackedLeft<T> left(packs_left_ ? row_tiles_.size(0) : 0, passes_.size(0));
    for (int64_t tile = first; tile < last; ++tile) {
      if (!in_place_ && row_tiles_.count == 1) right.pack(panels_of(tile));
      run_tile(tile, slab, passes, left);
    }
  });
}

template <typename T>
void TiledProduct<T>::run_tile(int64_t tile, Range slab, Range passes, PackedLeft<T>& left) {
  const int64_t row_tile = tile / panel_tiles_.count;
  const int64_t row = row_tiles_.first(row_tile);
  const Range rows{row, row + row_tiles_.size(row_tile)};
  if (!by_rows_) return multiply_tile(rows, panels_of(tile), slab, passes, left);
  const RowProduct<T> part{rows.last - rows.first,
                           g_.k,
                           g_.a + row * g_.a_stride,
                           g_.a_stride,
                           g_.c + row * g_.c_stride,
                           g_.c_stride,
                           g_.alpha,
                           g_.bias,
                           g_.accumulate};
  const Panels<T> right = this->right(slab);
  multiply_rows(part, split_, pass_length_,
                [&](int64_t j, int64_t k) { return right.at(split_, j, k); });
}

template <typename T>
void TiledProduct<T>::multiply_tile(Range rows, Range panels, Range slab, Range passes,
                                    PackedLeft<T>& left) {
  const Panels<T> right = this->right(slab);
  for (int64_t pass = passes.first; pass < passes.last; ++pass) {
    const Range inner = this->inner(pass);
    const int64_t k = inner.first - slab.first;
    if (packs_left_) pack_left(g_, rows, inner, left);
    for (int64_t j = panels.first; j < panels.last; ++j) {
      PanelOperand<T> operand = right.at(split_, j, k);
      if (!in_place_ && j + 1 < panels.last) {
        operand.next = right.at(split_, j + 1, k).data;
        operand.next_size = split_.vectors(j + 1) * kLanes<T> * (inner.last - inner.first);
      }
      multiply_panel(g_, split_, j, operand, rows, inner, packs_left_ ? &left : nullptr, prefetch_);
    }
  }
}

template <typename T>
void multiply(const Gemm<T>& g, bool parallel) {
  TiledProduct<T>(g, parallel).run();
}

/// Row `row` of the product from the sums of its parts, each [m,n], in their order.
template <typename T>
void add_parts(const Gemm<T>& g, const T* sums, int64_t parts, int64_t row) {
  constexpr int64_t kTogether = 64;
  T* const target = g.c + row * g.c_stride;
  for (int64_t column = 0; column < g.n; column += kTogether) {
    const int64_t count = std::min(kTogether, g.n - column);
    T sum[kTogether] = {};
    const T* part = sums + row * g.n + column;
    for (int64_t i = 0; i < parts; ++i, part += g.m * g.n) {
      for (int64_t c = 0; c < count; ++c) sum[c] += part[c];
    }
    for (int64_t c = 0; c < count; ++c) {
      T value = sum[c] * g.alpha;
      if (g.bias != nullptr) value += g.bias[column + c];
      target[column + c] = g.accumulate ? target[column + c] + value : value;
    }
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
  parallel_for(g.m, std::max<int64_t>(1, kPackingGrain / (g.n * parts.count)),
               [&](int64_t first, int64_t last) {
                 for (int64_t row = first; row < last; ++row) {
                   add_parts(g, sums.data(), parts.count, row);
                 }
               });
}

template <typename T>
int64_t work(const Gemm<T>& g) {
  return g.m * g.n * g.k;
}

/// Whether the work of several threads is worth more than what they cost each other.
template <typename T>
bool worth_sharing(const Gemm<T>& g) {
  if (work(g) < kTileWork) return false;
  if (work(g) > kSerialWork || few_in_place(g)) return true;
  // Each tile packs its own panels.
  return tile_size<T>(g.m, PanelSplit<T>(g.n).count(), g.k).rows == g.m;
}

}  // namespace

template <typename T>
void gemm(const Gemm<T>& product) {
  if (product.m == 0 || product.n == 0) return;
  if (!worth_sharing(product)) return multiply(product, false);
  constexpr TileSize kTile;
  const int64_t tiles = EvenSplit(product.m, kTile.rows).count *
                        EvenSplit(PanelSplit<T>(product.n).count(), kTile.panels).count;
  const int64_t parts = std::min(kMaxSumParts, product.k / kPartLength<T>);
  if (tiles < kFewTiles && product.m * product.n < kFewElements && parts >= kFewParts) {
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
  if (count == 1 || work(product) >= 16 * kTileWork) {
    for (int64_t entry = 0; entry < count; ++entry) gemm(at(entry));
    return;
  }
  const int64_t grain = std::max<int64_t>(1, kTileWork / std::max<int64_t>(1, work(product)));
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
