#include "diagrad/ops/cpu/conv/winograd.h"

#include <algorithm>
#include <bitset>

#include "diagrad/core/function_ref.h"
#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/conv/direct_products.h"
#include "diagrad/ops/cpu/conv/winograd_groups.h"
#include "diagrad/ops/cpu/conv/winograd_skipped.h"
#include "diagrad/ops/cpu/conv/winograd_tiles.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/pack.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

/// Multiply-adds, after the transform, that make a chunk of tiles worth a thread.
constexpr int64_t kChunkWork = int64_t{1} << 17;
/// Source channels that are summed in registers. Longer sums are sums of such parts: their rounding
/// errors grow with the root of the parts' length and number, not of all channels.
constexpr int64_t kSumLength = 64;

/// result[b, p, n] = bias[n] + sum over r, s, k of source[b, p + (r, s) + origin, k] * w(r, s, k,
/// n)
struct TileConvolution {
  TiledImages source;
  Size2 origin;   ///< source pixel of the first window's corner; may be negative
  float* result;  ///< the first of the channels
  Size2 size;     ///< of the result images
  int64_t channels;
  int64_t pixel;  ///< from one pixel of the result to the next
  TileGrid grid;
  bool accumulate;  ///< the result is added to what is there
  SkippedTiles& skipped;
  int64_t first_channel;  ///< of the result
  const float* weights;   ///< transformed; this and what follows is filled by convolve_tiles
  const float* bias;      ///< padded_channels(channels)
};

/// From one point's weights to the next's: not a power of two either.
int64_t weight_stride(const PanelSplit<float>& split, int64_t inner) {
  return split.padded_columns() * inner + kLanes<float>;
}

/// Fills one panel of w(tap / 3, tap % 3, k, n) for k in [first, last), a row per k, as pack.h
/// says.
using PackTap = FunctionRef<void(const PanelSplit<float>& split, int64_t panel, int64_t tap,
                                 int64_t first, int64_t last, float* packed)>;

/// U[point][panel][k][column of the panel]. In double precision and rounded once: the weights carry
/// no error of the transform.
void transform_weights(const PanelSplit<float>& split, int64_t inner, PackTap pack,
                       float* transformed) {
  constexpr int64_t kRows = 32;
  const int64_t stride = weight_stride(split, inner);
  const int64_t parts = (inner + kRows - 1) / kRows;
  parallel_for(split.count() * parts, 4, [&](int64_t begin, int64_t end) {
    const Scratch<float> taps(9 * kRows * kMaxVectors * kLanes<float>);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t panel = i / parts;
      const int64_t first = i % parts * kRows;
      const int64_t last = std::min(first + kRows, inner);
      const int64_t width = split.vectors(panel) * kLanes<float>;
      const int64_t size = (last - first) * width;
      for (int64_t tap = 0; tap < 9; ++tap) {
        pack(split, panel, tap, first, last, taps.data() + tap * size);
      }
      float* const target = transformed + split.first_column(panel) * inner + first * width;
      for (int64_t at = 0; at < size; at += kLanes<double>) {
        transform_square<WeightLine<double>, Vec<double>>(
            [&](int r, int s) __attribute__((always_inline)) {
              return load_widened(taps.data() + (r * 3 + s) * size + at);
            },
            [&](int r, int s, const Vec<double>& value) __attribute__((always_inline)) {
              store_narrowed(target + (r * kWinogradPoints + s) * stride + at, value);
            });
      }
    }
  });
}

/// How many tiles are transformed together, and where their values are: V and M are
/// [point][vector of channels][tile][channel of the vector], U is [point][panel][k][column].
struct TileGroup {
  explicit TileGroup(const TileConvolution& c)
      : panels(c.channels),
        inner(c.source.channels),
        tiles(kMaxRows * blocks(inner * panels.padded_columns())),
        vectors(std::max(padded_channels(inner), panels.padded_columns()) / kLanes<float>),
        in_place(panels.count() == 1 && inner <= kSumLength) {}
  /// Few, so that their values stay in L1 from one step to the next, but more where the weights,
  /// which every group reads, are many.
  static int64_t blocks(int64_t weights) {
    return weights <= int64_t{64} * 64 ? 1 : weights <= int64_t{128} * 128 ? 2 : kMaxBlocks;
  }
  static constexpr int64_t kMaxBlocks = 4;
  int64_t elements() const { return kWinogradPositions * point_stride; }

  PanelSplit<float> panels;
  int64_t inner;
  int64_t tiles;
  int64_t vectors;
  int64_t vector_stride = tiles * kLanes<float>;
  /// Not a power of two, for the sets of the cache.
  int64_t point_stride = vectors * vector_stride + kLanes<float>;
  int64_t weights = weight_stride(panels, inner);  ///< from one point to the next
  bool in_place;  ///< one panel and one sum: products may overwrite the values they are made from
};

/// m[tile] = v[tile] * u, plus m[tile] where `accumulate`, for kMaxRows tiles of kPoints points and
/// kVectors vectors of results; m may be v.
template <int kPoints, int kVectors>
void multiply_block(const TileGroup& group, const float* v, const float* u, int64_t inner, float* m,
                    bool accumulate) {
  constexpr int kWidth = kLanes<float>;
  const int64_t point = group.point_stride;
  const int64_t vector_stride = group.vector_stride;
  const int64_t weights = group.weights;
  Vec<float> sum[kPoints][kMaxRows][kVectors] = {};
  for (; inner > 0; inner -= kWidth, v += vector_stride) {
    const int64_t length = std::min<int64_t>(inner, kWidth);
    const float* const left = v;
#pragma GCC unroll 4
    for (int64_t k = 0; k < length; ++k) {
      Vec<float> row[kPoints][kVectors];
      DG_UNROLL
      for (int p = 0; p < kPoints; ++p) {
        DG_UNROLL
        for (int i = 0; i < kVectors; ++i) row[p][i] = load(u + p * weights + i * kWidth);
      }
      DG_UNROLL
      for (int p = 0; p < kPoints; ++p) {
        DG_UNROLL
        for (int t = 0; t < kMaxRows; ++t) {
          const float factor = left[p * point + t * kWidth + k];
          DG_UNROLL
          for (int i = 0; i < kVectors; ++i) sum[p][t][i] += factor * row[p][i];
        }
      }
      u += kVectors * kWidth;
    }
  }
  const auto at = [&](int p, int t, int i) {
    return m + p * point + i * vector_stride + t * kWidth;
  };
  if (accumulate) {
    DG_UNROLL
    for (int p = 0; p < kPoints; ++p) {
      DG_UNROLL
      for (int t = 0; t < kMaxRows; ++t) {
        DG_UNROLL
        for (int i = 0; i < kVectors; ++i) sum[p][t][i] += load(at(p, t, i));
      }
    }
  }
  DG_UNROLL
  for (int p = 0; p < kPoints; ++p) {
    DG_UNROLL
    for (int t = 0; t < kMaxRows; ++t) {
      DG_UNROLL
      for (int i = 0; i < kVectors; ++i) store<float>(at(p, t, i), sum[p][t][i]);
    }
  }
}

/// Points that are multiplied together: where all results are one vector, a point has too few sums
/// for the multiply-adds not to wait for each other.
int64_t paired_points(const PanelSplit<float>& panels) {
  return panels.count() == 1 && panels.vectors(0) == 1 ? 2 : 1;
}

using MultiplyBlock = void (*)(const TileGroup& group, const float* v, const float* u,
                               int64_t inner, float* m, bool accumulate);

MultiplyBlock block_kernel(int64_t points, int64_t vectors) {
  if (points == 2) return multiply_block<2, 1>;
  if (vectors == 1) return multiply_block<1, 1>;
  if (vectors == 2) return multiply_block<1, 2>;
  return multiply_block<1, kMaxVectors>;
}

/// All points of a group of `tiles` tiles from `first` on. Meanwhile it prefetches the pixels that
/// are written and read next.
void multiply_group(const TileConvolution& c, const TileGroup& group, int64_t tiles,
                    const TileGrid::Tile& first, const TileGrid::Tile& next, const float* v,
                    float* m) {
  TilePrefetch result(c.result, c.size, c.channels, c.pixel, c.grid, first);
  TilePrefetch source(c.source.data, c.source.size, c.source.channels, c.source.pixel, c.grid,
                      next);
  const int64_t points = paired_points(group.panels);
  int64_t rows_left = group.tiles * kWinogradTile;
  const int64_t rows = rows_left * points / kWinogradPositions + 1;
  for (int64_t p = 0; p < kWinogradPositions; p += points) {
    result.prefetch(std::min(rows, rows_left));
    source.prefetch(std::min(rows, rows_left));
    rows_left -= std::min(rows, rows_left);
    const float* u = c.weights + p * group.weights;
    const int64_t point = p * group.point_stride;
    for (int64_t panel = 0; panel < group.panels.count(); ++panel) {
      const int64_t vectors = group.panels.vectors(panel);
      const MultiplyBlock multiply = block_kernel(points, vectors);
      float* const to = m + point + group.panels.first_column(panel) * group.tiles;
      for (int64_t k = 0; k < group.inner || k == 0; k += kSumLength) {
        const int64_t length = std::min(kSumLength, group.inner - k);
        for (int64_t tile = 0; tile < tiles; tile += kMaxRows) {
          const int64_t at = tile * kLanes<float>;
          multiply(group, v + point + k * group.tiles + at, u, length, to + at, k > 0);
        }
        u += vectors * kLanes<float> * length;
      }
    }
  }
}

/// Transforms a tile's products back, adds the bias and writes what lies inside the result, or
/// adds it there.
template <bool accumulate>
void write_tile(const TileConvolution& c, const TileGroup& group, const TileGrid::Tile& tile,
                const float* m) {
  constexpr int kWidth = kLanes<float>;
  const int64_t point_stride = group.point_stride;
  const int64_t line = c.size.w * c.pixel;
  float* const corner =
      c.result + (tile.image * c.size.h + tile.row) * line + tile.column * c.pixel;
  const int64_t rows = std::min<int64_t>(kWinogradTile, c.size.h - tile.row);
  const int64_t columns = std::min<int64_t>(kWinogradTile, c.size.w - tile.column);
  const bool whole = rows == kWinogradTile && columns == kWinogradTile;
  for (int64_t n = 0; n < c.channels; n += kWidth) {
    const float* const products = m + n * group.tiles;
    const auto product = [&](int r, int s) __attribute__((always_inline)) {
      return load(products + (r * kWinogradPoints + s) * point_stride);
    };
    const Vec<float> bias = load(c.bias + n);
    if (whole && n + kWidth <= c.channels) {
      transform_square<ResultLine<float>, Vec<float>>(
          product, [&](int r, int s, const Vec<float>& value) __attribute__((always_inline)) {
            float* const target = corner + r * line + s * c.pixel + n;
            store<float>(target, accumulate ? load(target) + value : value + bias);
          });
      continue;
    }
    float values[kWinogradTile][kWinogradTile][kWidth];
    transform_square<ResultLine<float>, Vec<float>>(
        product, [&](int r, int s, const Vec<float>& value)
                     __attribute__((always_inline)) { store<float>(values[r][s], value + bias); });
    const int64_t valid = std::min<int64_t>(kWidth, c.channels - n);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t s = 0; s < columns; ++s) {
        float* const target = corner + r * line + s * c.pixel + n;
        for (int64_t i = 0; i < valid; ++i) {
          target[i] = accumulate ? target[i] + values[r][s][i] : values[r][s][i];
        }
      }
    }
  }
}

/// Tiles [first, last), at most a group of them. Products are those of whole blocks, of zeros where
/// tiles are missing.
void convolve_group(const TileConvolution& c, const TileGroup& group, int64_t first, int64_t last,
                    float* v, float* m) {
  if (last - first < group.tiles) std::fill(v, v + group.elements(), 0.0F);
  TileGrid::Tile tile = c.grid.at(first);
  const TileGrid::Tile next = c.grid.at(std::min(first + group.tiles, c.grid.count() - 1));
  std::bitset<kMaxRows * TileGroup::kMaxBlocks> skipped;
  transform_tiles<SourceLine<float>>(c.source, c.grid, tile, last - first, c.origin,
                                     {v, group.point_stride, group.vector_stride, kLanes<float>},
                                     [&](int64_t i) {
                                       skipped.set(static_cast<size_t>(i));
                                       c.skipped.add(first + i, c.first_channel);
                                     });
  multiply_group(c, group, last - first, tile, next, v, m);
  const auto write = c.accumulate ? write_tile<true> : write_tile<false>;
  for (int64_t i = 0; i < last - first; ++i, c.grid.advance(tile)) {
    if (!skipped[static_cast<size_t>(i)]) write(c, group, tile, m + i * kLanes<float>);
  }
}

void convolve_tiles(TileConvolution c, PackTap pack, const float* bias) {
  if (c.grid.count() == 0 || c.channels == 0) return;
  const TileGroup group(c);
  const int64_t padded = padded_channels(c.channels);
  const int64_t source_padded = padded_channels(c.source.channels);
  const Scratch<float> transformed(kWinogradPositions *
                                   weight_stride(group.panels, c.source.channels));
  const Scratch<float> constants(padded + source_padded);
  std::fill(constants.data(), constants.data() + padded + source_padded, 0.0F);
  if (bias != nullptr) std::copy(bias, bias + c.channels, constants.data());
  transform_weights(group.panels, c.source.channels, pack, transformed.data());
  c.weights = transformed.data();
  c.bias = constants.data();
  c.source.zeros = constants.data() + padded;

  const int64_t groups = (c.grid.count() + group.tiles - 1) / group.tiles;
  const int64_t work = group.tiles * kWinogradPositions * source_padded * padded;
  parallel_for(
      groups, kChunkWork / std::max<int64_t>(work, 1) + 1, [&](int64_t first, int64_t last) {
        const Scratch<float> v(group.elements());
        const Scratch<float> m(group.in_place ? 0 : group.elements());
        for (int64_t i = first; i < last; ++i) {
          convolve_group(c, group, i * group.tiles, std::min((i + 1) * group.tiles, c.grid.count()),
                         v.data(), group.in_place ? v.data() : m.data());
        }
      });
}

}  // namespace

void winograd_convolve(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                       float* y) {
  const WinogradGroups groups(g);
  const WideWeights weights(groups, w);
  const int64_t inputs = groups.inputs();
  const int64_t outputs = groups.outputs();
  SkippedTiles skipped;
  for (int64_t group = 0; group < groups.count; ++group) {
    const float* const from = weights.of(group);
    convolve_tiles(
        {tiled_images(x, g.batch, g.input, g.in_channels, groups.count, group),
         {-g.padding.h, -g.padding.w},
         y + group * outputs,
         g.output,
         outputs,
         g.out_channels,
         TileGrid(g.batch, g.output),
         false,
         skipped,
         group * outputs,
         nullptr,
         nullptr},
        [&](const PanelSplit<float>& split, int64_t panel, int64_t tap, int64_t first, int64_t last,
            float* packed) {
          pack_panel_from_columns<float>(split, panel, last - first, from + tap * inputs + first,
                                         9 * inputs, packed);
        },
        bias == nullptr ? nullptr : bias + group * outputs);
  }
  skipped.fill({y, g.batch, g.output, g.out_channels, outputs, false},
               [&](int64_t first, int64_t count, float* images) {
                 ConvGeometry part = g;
                 part.batch = count;
                 direct_convolve(part, x + first * g.input.h * g.input.w * g.in_channels, w, bias,
                                 images);
               });
}

void winograd_input_gradient(const ConvGeometry& g, const float* dy, const float* w, float* dx,
                             bool accumulate) {
  const WinogradGroups groups(g);
  const WideWeights weights(groups, w);
  const int64_t inputs = groups.inputs();
  SkippedTiles skipped;
  for (int64_t group = 0; group < groups.count; ++group) {
    convolve_tiles(
        {tiled_images(dy, g.batch, g.output, g.out_channels, groups.count, group),
         {g.padding.h - 2, g.padding.w - 2},
         dx + group * inputs,
         g.input,
         inputs,
         g.in_channels,
         TileGrid(g.batch, g.input),
         accumulate,
         skipped,
         group * inputs,
         nullptr,
         nullptr},
        [&](const PanelSplit<float>& split, int64_t panel, int64_t tap, int64_t first, int64_t last,
            float* packed) {
          // The kernel turned by half a circle.
          const float* const from = weights.of(group) + (8 - tap) * inputs;
          pack_panel_from_rows<float>(
              split, panel, last - first,
              [&](int64_t k) { return from + (first + k) * 9 * inputs; }, packed);
        },
        nullptr);
  }
  skipped.fill({dx, g.batch, g.input, g.in_channels, inputs, accumulate},
               [&](int64_t first, int64_t count, float* images) {
                 ConvGeometry part = g;
                 part.batch = count;
                 direct_input_gradient(part, dy + first * g.output.h * g.output.w * g.out_channels,
                                       w, images, accumulate);
               });
}

}  // namespace diagrad::kernels
