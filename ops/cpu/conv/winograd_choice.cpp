#include "diagrad/ops/cpu/conv/winograd.h"
#include "diagrad/ops/cpu/conv/winograd_groups.h"
#include "diagrad/ops/cpu/conv/winograd_tiles.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"

namespace diagrad::kernels {
namespace {

/// What a transform costs in multiply-adds of a product, measured: of one channel of a tile there
/// or back, of the same with its share of loading sums, and of one pair of channels of the weights.
constexpr int64_t kTileCost = 400;
constexpr int64_t kGradientTileCost = 500;
constexpr int64_t kWeightCost = 450;

/// Tiles do 36 multiply-adds where a direct kernel does 9 for each pixel of the result, 144 for a
/// whole tile, but transforms come on top: they weigh most with few channels. Partial tiles,
/// vectors that are not full and, for small images alone, the transform of the weights take from
/// the gain, too. Where the sum of it all is not clearly below, the direct kernel, whose error is
/// smaller, is taken.
bool clearly_below(int64_t winograd, int64_t direct) {
  return winograd < direct - direct / 10;
}

/// Of a product with result images of `size`, from `inner` to `columns` channels in each of
/// `together` groups that tiles take as one.
bool tiles_gain(int64_t batch, const Size2& size, int64_t inner, int64_t columns,
                int64_t together) {
  const int64_t tiles = TileGrid(batch, size).count();
  const int64_t computed = (tiles + kMaxRows - 1) / kMaxRows * kMaxRows;
  const int64_t pairs = together * inner * padded_channels(together * columns);
  const int64_t transforms =
      padded_channels(together * inner) + padded_channels(together * columns);
  return clearly_below(36 * computed * pairs + kTileCost * tiles * transforms + kWeightCost * pairs,
                       9 * batch * size.h * size.w * together * inner * padded_channels(columns));
}

}  // namespace

bool is_winograd_kind(const ConvGeometry& g) {
  return g.kernel == Size2(3) && g.stride == Size2(1) && g.dilation == Size2(1) &&
         !g.is_depthwise();
}

bool should_use_winograd(const ConvGeometry& g) {
  return is_winograd_kind(g) && tiles_gain(g.batch, g.output, g.group_inputs(), g.group_outputs(),
                                           WinogradGroups(g).together);
}

bool winograd_input_gradient_gains(const ConvGeometry& g) {
  return is_winograd_kind(g) && tiles_gain(g.batch, g.input, g.group_outputs(), g.group_inputs(),
                                           WinogradGroups(g).together);
}

bool winograd_weight_gradient_gains(const ConvGeometry& g) {
  if (!is_winograd_kind(g)) return false;
  const WinogradGroups groups(g);
  const int64_t tiles = TileGrid(g.batch, g.output).count();
  const int64_t padded = padded_channels(groups.inputs());
  const int64_t transforms = padded + padded_channels(groups.outputs());
  const int64_t pairs = groups.outputs() * padded;
  // The direct kernel fills its vectors with the channels of three taps, where there is one group.
  const int64_t row =
      g.groups == 1 ? padded_channels(3 * g.in_channels) : 3 * padded_channels(g.group_inputs());
  return clearly_below(
      36 * tiles * pairs + kGradientTileCost * tiles * transforms + kWeightCost * pairs,
      3 * g.out_pixels() * groups.outputs() * row);
}

}  // namespace diagrad::kernels
