#include "diagrad/ops/kernels/winograd.h"

#include <algorithm>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/kernels/micro_kernel.h"
#include "diagrad/ops/kernels/scratch.h"
#include "diagrad/ops/kernels/winograd_tiles.h"

namespace diagrad::kernels {
namespace {

/// Rows of a product block: one tile each.
constexpr int kBlockTiles = kMaxRows;
/// Multiply-adds, after the transform, that make a chunk of tiles worth a thread.
constexpr int64_t kChunkWork = int64_t{1} << 17;
/// Source channels that are summed in registers. Longer sums are sums of such parts: their rounding
/// errors grow with the root of the parts' length and number, not of all channels.
constexpr int64_t kSumLength = 64;

/// result[b, p, n] = bias[n] + sum over r, s, k of source[b, p + (r, s) + origin, k] * w(r, s, k,
/// n)
struct TileConvolution {
  TiledImages source;
  Size2 origin;  ///< source pixel of the first window's corner; may be negative
  float* result;
  Size2 size;  ///< of the result images
  int64_t channels;
  TileGrid grid;
  const float* weights;  ///< transformed, see transform_weights
  const float* bias;     ///< padded_channels(channels)
};

/// Where w(r, s, k, n) is: data + tap (r, s) * tap_stride + k * k_stride + n * n_stride.
struct WeightView {
  const float* data;
  int64_t tap_stride;
  int64_t k_stride;
  int64_t n_stride;
  int64_t inner;
  int64_t columns;
};

/// Transforms w(., ., k, n...) of one vector of doubles, `valid` of them, to target + p * stride.
/// In double precision and rounded once: the weights carry no error of the transform.
void transform_weight_lanes(const WeightView& w, int64_t k, int64_t n, int64_t valid, float* target,
                            int64_t stride) {
  constexpr int kWidth = kLanes<double>;
  const float* const source = w.data + k * w.k_stride + n * w.n_stride;
  transform_square<WeightLine<double>, Vec<double>>(
      [&](int r, int s) {
        const float* const tap = source + (r * 3 + s) * w.tap_stride;
        double lanes[kWidth] = {};
        for (int64_t lane = 0; lane < valid; ++lane) {
          lanes[lane] = static_cast<double>(tap[lane * w.n_stride]);
        }
        return load<double>(lanes);
      },
      [&](int r, int s, const Vec<double>& value) {
        float* const at = target + (r * kWinogradPoints + s) * stride;
        for (int lane = 0; lane < kWidth; ++lane) at[lane] = static_cast<float>(value[lane]);
      });
}

/// U[point][panel][k][column of the panel], zeros in the last vector's padding.
void transform_weights(const WeightView& w, float* transformed) {
  const PanelSplit<float> split(w.columns);
  const int64_t stride = split.padded_columns() * w.inner;
  const int64_t grain = 4096 / std::max<int64_t>(w.columns, 1) + 1;
  parallel_for(w.inner, grain, [&](int64_t first, int64_t last) {
    for (int64_t panel = 0; panel < split.count(); ++panel) {
      const int64_t width = split.vectors(panel) * kLanes<float>;
      for (int64_t column = 0; column < width; column += kLanes<double>) {
        const int64_t n = split.first_column(panel) + column;
        const int64_t valid = std::clamp<int64_t>(w.columns - n, 0, kLanes<double>);
        for (int64_t k = first; k < last; ++k) {
          float* const target =
              transformed + split.first_column(panel) * w.inner + k * width + column;
          transform_weight_lanes(w, k, valid > 0 ? n : 0, valid, target, stride);
        }
      }
    }
  });
}

/// m[tile] = v[tile] * u, plus m[tile] where `accumulate`, for kBlockTiles tiles; m may be v.
template <int kVectors>
void multiply_block(const float* v, const float* u, int64_t inner, float* m, int64_t stride,
                    bool accumulate) {
  Vec<float> sum[kBlockTiles][kVectors] = {};
#pragma GCC unroll 4
  for (int64_t k = 0; k < inner; ++k) {
    Vec<float> row[kVectors];
    DG_UNROLL
    for (int i = 0; i < kVectors; ++i) row[i] = load(u + i * kLanes<float>);
    DG_UNROLL
    for (int t = 0; t < kBlockTiles; ++t) {
      const float factor = v[t * stride + k];
      DG_UNROLL
      for (int i = 0; i < kVectors; ++i) sum[t][i] += factor * row[i];
    }
    u += kVectors * kLanes<float>;
  }
  if (accumulate) {
    DG_UNROLL
    for (int t = 0; t < kBlockTiles; ++t) {
      DG_UNROLL
      for (int i = 0; i < kVectors; ++i) sum[t][i] += load(m + t * stride + i * kLanes<float>);
    }
  }
  DG_UNROLL
  for (int t = 0; t < kBlockTiles; ++t) {
    DG_UNROLL
    for (int i = 0; i < kVectors; ++i) store<float>(m + t * stride + i * kLanes<float>, sum[t][i]);
  }
}

void multiply_panel(int64_t vectors, const float* v, const float* u, int64_t inner, float* m,
                    int64_t stride, bool accumulate) {
  if (vectors == 1) return multiply_block<1>(v, u, inner, m, stride, accumulate);
  if (vectors == 2) return multiply_block<2>(v, u, inner, m, stride, accumulate);
  if constexpr (kMaxVectors > 2) {
    multiply_block<kMaxVectors>(v, u, inner, m, stride, accumulate);
  }
}

/// How many tiles are transformed together, and where their values are: V and M are
/// [point][tile][stride].
struct TileGroup {
  explicit TileGroup(const TileConvolution& c)
      : panels(c.channels),
        stride(std::max(padded_channels(c.source.channels), padded_channels(c.channels))),
        in_place(panels.count() == 1 && c.source.channels <= kSumLength),
        tiles(in_place ? kBlockTiles : 2 * kBlockTiles),
        position_stride(tiles * stride) {}
  int64_t elements() const { return kWinogradPositions * position_stride; }

  PanelSplit<float> panels;
  int64_t stride;
  bool in_place;  ///< one panel and one sum: products may overwrite the values they are made from
  int64_t tiles;
  int64_t position_stride;
};

/// All points of the group's first `blocks` blocks of tiles.
void multiply_group(const TileConvolution& c, const TileGroup& group, int64_t blocks,
                    const float* v, float* m) {
  const int64_t inner = c.source.channels;
  const float* u = c.weights;
  for (int64_t p = 0; p < kWinogradPositions; ++p) {
    const int64_t point = p * group.position_stride;
    for (int64_t panel = 0; panel < group.panels.count(); ++panel) {
      const int64_t vectors = group.panels.vectors(panel);
      const int64_t column = group.panels.first_column(panel);
      for (int64_t k = 0; k < inner || k == 0; k += kSumLength) {
        const int64_t length = std::min(kSumLength, inner - k);
        for (int64_t block = 0; block < blocks; ++block) {
          const int64_t at = point + block * kBlockTiles * group.stride;
          multiply_panel(vectors, v + at + k, u, length, m + at + column, group.stride, k > 0);
        }
        u += vectors * kLanes<float> * length;
      }
    }
  }
}

/// Transforms a tile's products back, adds the bias and writes what lies inside the result.
void write_tile(const TileConvolution& c, const TileGrid::Tile& tile, const float* m,
                int64_t position_stride) {
  constexpr int kWidth = kLanes<float>;
  const int64_t line = c.size.w * c.channels;
  float* const corner =
      c.result + (tile.image * c.size.h + tile.row) * line + tile.column * c.channels;
  const int64_t rows = std::min<int64_t>(kWinogradTile, c.size.h - tile.row);
  const int64_t columns = std::min<int64_t>(kWinogradTile, c.size.w - tile.column);
  const bool whole = rows == kWinogradTile && columns == kWinogradTile;
  for (int64_t n = 0; n < c.channels; n += kWidth) {
    const auto product = [&](int r, int s) __attribute__((always_inline)) {
      return load(m + (r * kWinogradPoints + s) * position_stride + n);
    };
    const Vec<float> bias = load(c.bias + n);
    if (whole && n + kWidth <= c.channels) {
      transform_square<ResultLine<float>, Vec<float>>(
          product, [&](int r, int s, const Vec<float>& value) __attribute__((always_inline)) {
            store<float>(corner + r * line + s * c.channels + n, value + bias);
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
        std::copy(values[r][s], values[r][s] + valid, corner + r * line + s * c.channels + n);
      }
    }
  }
}

/// Tiles [first, last), at most a group of them. Blocks are always full: the last tile stands in
/// for those that are missing.
void convolve_group(const TileConvolution& c, const TileGroup& group, int64_t first, int64_t last,
                    float* v, float* m) {
  const int64_t blocks = (last - first + kBlockTiles - 1) / kBlockTiles;
  for (int64_t i = 0; i < blocks * kBlockTiles; ++i) {
    const TileGrid::Tile tile = c.grid.at(std::min(first + i, last - 1));
    transform_pixels<SourceLine<float>>(c.source, tile.image, tile.row + c.origin.h,
                                        tile.column + c.origin.w, v + i * group.stride,
                                        group.position_stride);
  }
  multiply_group(c, group, blocks, v, m);
  for (int64_t i = first; i < last; ++i) {
    write_tile(c, c.grid.at(i), m + (i - first) * group.stride, group.position_stride);
  }
}

void convolve_tiles(TileConvolution c, const WeightView& w, const float* bias) {
  if (c.grid.count() == 0 || c.channels == 0) return;
  const TileGroup group(c);
  const int64_t padded = padded_channels(c.channels);
  const int64_t source_padded = padded_channels(c.source.channels);
  const Scratch<float> transformed(kWinogradPositions * c.source.channels * padded);
  const Scratch<float> constants(padded + source_padded);
  std::fill(constants.data(), constants.data() + padded + source_padded, 0.0F);
  if (bias != nullptr) std::copy(bias, bias + c.channels, constants.data());
  transform_weights(w, transformed.data());
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

bool is_winograd_kind(const ConvGeometry& g) {
  return g.kernel == Size2(3) && g.stride == Size2(1) && g.dilation == Size2(1) && g.groups == 1;
}

bool winograd_gains(const ConvGeometry& g) {
  return is_winograd_kind(g) && g.in_channels >= 16 && g.out_channels >= 16;
}

bool winograd_input_gradient_gains(const ConvGeometry& g) {
  return winograd_gains(g);
}

void winograd_convolve(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                       float* y) {
  const int64_t weights_per_output = g.taps() * g.in_channels;
  convolve_tiles({{x, nullptr, g.in_channels, g.input},
                  {-g.padding.h, -g.padding.w},
                  y,
                  g.output,
                  g.out_channels,
                  TileGrid(g.batch, g.output),
                  nullptr,
                  nullptr},
                 {w, g.in_channels, 1, weights_per_output, g.in_channels, g.out_channels}, bias);
}

void winograd_input_gradient(const ConvGeometry& g, const float* dy, const float* w, float* dx) {
  const int64_t weights_per_output = g.taps() * g.in_channels;
  // The kernel turned by half a circle: taps from the last to the first.
  const float* const last_tap = w + (g.taps() - 1) * g.in_channels;
  convolve_tiles({{dy, nullptr, g.out_channels, g.output},
                  {g.padding.h - 2, g.padding.w - 2},
                  dx,
                  g.input,
                  g.in_channels,
                  TileGrid(g.batch, g.input),
                  nullptr,
                  nullptr},
                 {last_tap, -g.in_channels, weights_per_output, 1, g.out_channels, g.in_channels},
                 nullptr);
}

}  // namespace diagrad::kernels
