#include "diagrad/ops/cpu/conv/winograd_skipped.h"

#include <algorithm>

#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {
namespace {

/// Channels [channel, channel + result.group_channels) of a tile, from `image` to the result.
void copy_tile(const TiledResult& result, const TileGrid::Tile& tile, int64_t channel,
               const float* image) {
  const int64_t last_row = std::min(tile.row + kWinogradTile, result.size.h);
  const int64_t last_column = std::min(tile.column + kWinogradTile, result.size.w);
  float* const target = result.data + tile.image * result.size.h * result.size.w * result.channels;
  for (int64_t row = tile.row; row < last_row; ++row) {
    for (int64_t column = tile.column; column < last_column; ++column) {
      const int64_t at = (row * result.size.w + column) * result.channels + channel;
      std::copy_n(image + at, result.group_channels, target + at);
    }
  }
}

}  // namespace

void SkippedTiles::add(int64_t tile, int64_t first_channel) {
  const std::lock_guard<std::mutex> lock(mutex_);
  parts_.push_back({tile, first_channel});
}

void SkippedTiles::fill(const TiledResult& result,
                        FunctionRef<void(int64_t first, int64_t count, float* images)> direct) {
  std::sort(parts_.begin(), parts_.end(),
            [](const Part& a, const Part& b) { return a.tile < b.tile; });
  const TileGrid grid(result.batch, result.size);
  const int64_t image_size = result.size.h * result.size.w * result.channels;
  for (auto part = parts_.begin(); part != parts_.end();) {
    const int64_t first = grid.at(part->tile).image;
    int64_t last = first + 1;
    auto end = part;
    for (; end != parts_.end() && grid.at(end->tile).image <= last; ++end) {
      last = grid.at(end->tile).image + 1;
    }
    const Scratch<float> images((last - first) * image_size);
    if (result.accumulate) {
      std::copy_n(result.data + first * image_size, (last - first) * image_size, images.data());
    }
    direct(first, last - first, images.data());
    for (; part != end; ++part) {
      const TileGrid::Tile tile = grid.at(part->tile);
      copy_tile(result, tile, part->first_channel,
                images.data() + (tile.image - first) * image_size);
    }
  }
}

}  // namespace diagrad::kernels
