#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "diagrad/core/parallel.h"
#include "diagrad/ops/cpu/conv/weight_gradient.h"
#include "diagrad/ops/cpu/conv/winograd.h"
#include "diagrad/ops/cpu/conv/winograd_groups.h"
#include "diagrad/ops/cpu/conv/winograd_tiles.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

/// Tiles that are transformed together: enough for the sums to be worth loading and storing.
constexpr int64_t kGroupTiles = 64;
/// From one point's values to the next's. Not a power of two: 36 streams of writes that far apart
/// would all share a few sets of the cache.
constexpr int64_t point_stride(int64_t tile_stride) {
  return kGroupTiles * tile_stride + kLanes<float>;
}
/// Bytes that all partial sums together may take, unless that leaves fewer than two.
constexpr int64_t kPartialBytes = int64_t{8} << 20;
constexpr int64_t kMaxChunks = 16;
constexpr int64_t kMinGroups = 2;  ///< in a chunk

/// The sums S[point][o][c] over tiles of (transformed dy)[o] * (transformed x)[c], and what they
/// are made of.
struct TileSums {
  TileSums(const ConvGeometry& geometry, const WinogradGroups& groups)
      : g(geometry),
        inputs(groups.inputs()),
        outputs(groups.outputs()),
        grid(g.batch, g.output),
        panels(inputs),
        x_stride(padded_channels(inputs)),
        dy_stride(padded_channels(outputs)) {
    for (int64_t vectors = 1; vectors <= kMaxVectors; ++vectors) {
      blocks.emplace_back(outputs, max_column_kernel_rows(vectors));
    }
  }
  /// From one point's sums to the next's.
  int64_t stride() const { return outputs * x_stride + kLanes<float>; }
  /// Of one chunk's sums.
  int64_t size() const { return kWinogradPositions * stride(); }

  const ConvGeometry& g;
  int64_t inputs;  ///< of a group
  int64_t outputs;
  TileGrid grid;
  PanelSplit<float> panels;
  std::vector<EvenSplit> blocks;  ///< of outputs, by the vectors of a panel less one
  int64_t x_stride;
  int64_t dy_stride;
  TiledImages x;
  TiledImages dy;
};

/// Adds `tiles` tiles of point `p` to its sums, or sets them.
void add_point(const TileSums& sums, int64_t p, int64_t tiles, const float* v, const float* d,
               bool accumulate, float* sum) {
  v += p * point_stride(sums.x_stride);
  d += p * point_stride(sums.dy_stride);
  sum += p * sums.stride();
  for (int64_t panel = 0; panel < sums.panels.count(); ++panel) {
    const int64_t vectors = sums.panels.vectors(panel);
    const int64_t column = sums.panels.first_column(panel);
    const PanelOperand<float> right{v + column, sums.x_stride, 0};
    const EvenSplit& blocks = sums.blocks[static_cast<size_t>(vectors - 1)];
    for (int64_t block = 0; block < blocks.count; ++block) {
      const int64_t output = blocks.first(block);
      const ColumnOperand<float> left{d + output, sums.dy_stride, 0, 1, tiles};
      std::array<float*, kAccumulators> targets;
      for (int64_t i = 0; i < blocks.size(block); ++i) {
        targets[static_cast<size_t>(i)] = sum + (output + i) * sums.x_stride + column;
      }
      BlockOutput<float> out{targets.data(), vectors * kLanes<float>};
      out.accumulate = accumulate;
      column_kernel<float>(blocks.size(block), vectors)(left, right, out);
    }
  }
}

/// The sums over groups [first, last) of tiles; sets `bad` where one reads a value that is not
/// finite.
void sum_groups(const TileSums& sums, int64_t first, int64_t last, float* sum,
                std::atomic<bool>& bad) {
  const auto set_bad = [&](int64_t /*tile*/) { bad.store(true, std::memory_order_relaxed); };
  const Scratch<float> v(kWinogradPositions * point_stride(sums.x_stride));
  const Scratch<float> d(kWinogradPositions * point_stride(sums.dy_stride));
  for (int64_t group = first; group < last; ++group) {
    const int64_t begin = group * kGroupTiles;
    const int64_t tiles = std::min(kGroupTiles, sums.grid.count() - begin);
    const auto values = [](const Scratch<float>& data, int64_t tile_stride) {
      return TileValues{data.data(), point_stride(tile_stride), kLanes<float>, tile_stride};
    };
    const Size2 origin{-sums.g.padding.h, -sums.g.padding.w};
    const TileGrid::Tile tile = sums.grid.at(begin);
    transform_tiles<SourceLine<float>>(sums.x, sums.grid, tile, tiles, origin,
                                       values(v, sums.x_stride), set_bad);
    transform_tiles<GradientLine<float>>(sums.dy, sums.grid, tile, tiles, 0,
                                         values(d, sums.dy_stride), set_bad);
    for (int64_t p = 0; p < kWinogradPositions; ++p) {
      add_point(sums, p, tiles, v.data(), d.data(), group != first, sum);
    }
  }
}

/// dw = G^T S G of the partial sums, added in chunk order.
void write_gradient(const TileSums& sums, const float* partial, int64_t chunks, float* dw) {
  constexpr int kWidth = kLanes<float>;
  const int64_t channels = sums.inputs;
  const int64_t grain = 1024 / std::max<int64_t>(channels, 1) + 1;
  parallel_for(sums.outputs, grain, [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) {
      float* const target = dw + o * 9 * channels;
      for (int64_t c = 0; c < channels; c += kWidth) {
        const int64_t valid = std::min<int64_t>(kWidth, channels - c);
        transform_square<WeightGradientLine<float>, Vec<float>>(
            [&](int r, int s) {
              const float* at =
                  partial + (r * kWinogradPoints + s) * sums.stride() + o * sums.x_stride + c;
              Vec<float> total = load(at);
              for (int64_t chunk = 1; chunk < chunks; ++chunk) {
                total += load(at += sums.size());
              }
              return total;
            },
            [&](int r, int s, const Vec<float>& value) {
              float* const at = target + (r * 3 + s) * channels + c;
              if (valid == kWidth) return store<float>(at, value);
              store_partial<float>(at, value, valid);
            });
      }
    }
  });
}

}  // namespace

void winograd_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const WinogradGroups groups(g);
  TileSums sums(g, groups);
  const int64_t weights = g.out_channels * 9 * g.group_inputs();
  if (weights == 0 || sums.grid.count() == 0) return std::fill(dw, dw + weights, 0.0F);
  const int64_t zero_count = std::max(sums.x_stride, sums.dy_stride);
  const Scratch<float> zeros(zero_count);
  std::fill(zeros.data(), zeros.data() + zero_count, 0.0F);
  const int64_t tile_groups = (sums.grid.count() + kGroupTiles - 1) / kGroupTiles;
  const int64_t fitting = kPartialBytes / (sums.size() * static_cast<int64_t>(sizeof(float)));
  const int64_t wanted = std::clamp<int64_t>(fitting, 2, kMaxChunks);
  const ChunkPlan plan(tile_groups, std::max(kMinGroups, (tile_groups + wanted - 1) / wanted));
  const Scratch<float> partial(plan.count * sums.size());
  const WideGradient gradient(groups, dw);
  std::atomic<bool> bad = false;
  for (int64_t group = 0; group < groups.count; ++group) {
    sums.x = tiled_images(x, g.batch, g.input, g.in_channels, groups.count, group);
    sums.dy = tiled_images(dy, g.batch, g.output, g.out_channels, groups.count, group);
    sums.x.zeros = sums.dy.zeros = zeros.data();
    parallel_for_chunks(plan, tile_groups, [&](int64_t chunk, int64_t first, int64_t last) {
      sum_groups(sums, first, last, partial.data() + chunk * sums.size(), bad);
    });
    // Every weight's sum holds all tiles, so all are to be made without transforms.
    if (bad) return direct_weight_gradient(g, x, dy, dw);
    write_gradient(sums, partial.data(), plan.count, gradient.of(group));
  }
  gradient.narrow();
}

}  // namespace diagrad::kernels
