#pragma once

#include <algorithm>
#include <cstdint>

#include "diagrad/core/size2.h"
#include "diagrad/core/vector.h"
#include "diagrad/ops/cpu/conv/winograd_transform.h"

namespace diagrad::kernels {

/// Channels rounded up to whole vectors.
inline int64_t padded_channels(int64_t channels) {
  return (channels + kLanes<float> - 1) / kLanes<float> * kLanes<float>;
}

/// Some channels of images [B,H,W,C] that are read tile by tile, with zeros around them.
struct TiledImages {
  const float* data = nullptr;  ///< the first of the channels
  const float* end = nullptr;   ///< of all images
  int64_t channels = 0;
  int64_t pixel = 0;  ///< from one pixel to the next: C
  Size2 size = 0;
  const float* zeros = nullptr;  ///< padded_channels(channels) of them
};

/// Group `group` of `groups` of the channels.
inline TiledImages tiled_images(const float* data, int64_t batch, const Size2& size,
                                int64_t channels, int64_t groups, int64_t group) {
  const int64_t own = channels / groups;
  return {data + group * own, data + batch * size.h * size.w * channels, own, channels, size};
}

/// The 4x4 tiles that cover result images of a size, counted row by row, image by image.
class TileGrid {
 public:
  struct Tile {
    int64_t image;
    int64_t row;  ///< of the result
    int64_t column;
  };

  TileGrid(int64_t batch, const Size2& result)
      : batch_(batch),
        tiles_((result.h + kWinogradTile - 1) / kWinogradTile,
               (result.w + kWinogradTile - 1) / kWinogradTile) {}
  int64_t count() const { return batch_ * tiles_.h * tiles_.w; }
  Tile at(int64_t index) const {
    const int64_t line = index / tiles_.w;
    return {line / tiles_.h, line % tiles_.h * kWinogradTile, index % tiles_.w * kWinogradTile};
  }
  /// The tile after `tile`, without a division.
  void advance(Tile& tile) const {
    tile.column += kWinogradTile;
    if (tile.column < tiles_.w * kWinogradTile) return;
    tile.column = 0;
    tile.row += kWinogradTile;
    if (tile.row < tiles_.h * kWinogradTile) return;
    tile.row = 0;
    ++tile.image;
  }

 private:
  int64_t batch_;
  Size2 tiles_;
};

/// Where transformed tiles go: point p of tile i, channels [16 v, 16 v + 16) if that is the width
/// of a vector, to data + p * point_stride + v * vector_stride + i * tile_stride.
struct TileValues {
  float* data;
  int64_t point_stride;
  int64_t vector_stride;
  int64_t tile_stride;
};

/// Transforms the kFrom x kFrom pixels of image `image` from (row, column) on, all channels, to
/// where `to` says. Values beyond the channels mean nothing. Returns a sum that is not finite if
/// one of the pixels is not.
template <typename Line>
Vec<float> transform_pixels(const TiledImages& images, int64_t image, int64_t row, int64_t column,
                            const TileValues& to) {
  constexpr int kFrom = Line::kFrom;
  constexpr int kWidth = kLanes<float>;
  const int64_t channels = images.channels;
  const int64_t pixel = images.pixel;
  const int64_t line = images.size.w * pixel;
  const float* const pixels = images.data + image * images.size.h * line;
  const float* const corner = pixels + row * line + column * pixel;
  Vec<float> witnesses{};
  const auto put = [&](int64_t channel) {
    float* const target = to.data + channel / kWidth * to.vector_stride;
    return [ target, stride = to.point_stride, &witnesses ](int r, int s, const Vec<float>& value)
        __attribute__((always_inline)) {
      store<float>(target + (r * kWinogradPoints + s) * stride, value);
      if (Line::is_witness(r) && Line::is_witness(s)) witnesses += value;
    };
  };
  // The last vector reads past its pixel, into the next one, if there is one.
  const int64_t padded = padded_channels(channels);
  const int64_t last_row = std::min<int64_t>(row + kFrom, images.size.h) - 1;
  const int64_t last_column = std::min<int64_t>(column + kFrom, images.size.w) - 1;
  const float* const last_pixel = pixels + last_row * line + last_column * pixel;
  const int64_t whole = images.end - last_pixel >= padded ? padded : channels / kWidth * kWidth;
  const bool inside =
      row >= 0 && column >= 0 && row + kFrom <= images.size.h && column + kFrom <= images.size.w;
  if (inside && whole == padded) {
    for (int64_t c = 0; c < whole; c += kWidth) {
      transform_square<Line, Vec<float>>(
          [&](int r, int s)
              __attribute__((always_inline)) { return load(corner + r * line + s * pixel + c); },
          put(c));
    }
    return witnesses;
  }
  const float* at[kFrom][kFrom];
  for (int r = 0; r < kFrom; ++r) {
    const bool row_inside = row + r >= 0 && row + r < images.size.h;
    for (int s = 0; s < kFrom; ++s) {
      const bool pixel_inside = row_inside && column + s >= 0 && column + s < images.size.w;
      at[r][s] = pixel_inside ? corner + r * line + s * pixel : images.zeros;
    }
  }
  for (int64_t c = 0; c < whole; c += kWidth) {
    transform_square<Line, Vec<float>>(
        [&](int r, int s) __attribute__((always_inline)) { return load(at[r][s] + c); }, put(c));
  }
  if (whole < padded) {
    float tail[kFrom][kFrom][kWidth] = {};
    for (int r = 0; r < kFrom; ++r) {
      for (int s = 0; s < kFrom; ++s) {
        std::copy(at[r][s] + whole, at[r][s] + channels, tail[r][s]);
      }
    }
    transform_square<Line, Vec<float>>(
        [&](int r, int s) __attribute__((always_inline)) { return load(tail[r][s]); }, put(whole));
  }
  return witnesses;
}

inline bool all_finite(const Vec<float>& values) {
  return horizontal_sum<float>(values - values) == 0.0F;
}

/// Transforms `count` tiles from `first` on; their pixels begin `origin` away from their results.
/// Calls bad(i) for those of them that hold a value that is not finite.
template <typename Line, typename Bad>
void transform_tiles(const TiledImages& images, const TileGrid& grid, const TileGrid::Tile& first,
                     int64_t count, const Size2& origin, const TileValues& target, const Bad& bad) {
  const auto for_each_tile = [&](const auto& use) {
    TileGrid::Tile tile = first;
    TileValues to = target;
    for (int64_t i = 0; i < count; ++i, grid.advance(tile), to.data += to.tile_stride) {
      use(i, transform_pixels<Line>(images, tile.image, tile.row + origin.h, tile.column + origin.w,
                                    to));
    }
  };
  Vec<float> sum{};
  for_each_tile([&](int64_t /*tile*/, const Vec<float>& witnesses) { sum += witnesses; });
  if (all_finite(sum)) return;
  // Rare: once more, each tile for itself.
  for_each_tile([&](int64_t tile, const Vec<float>& witnesses) {
    if (!all_finite(witnesses)) bad(tile);
  });
}

/// Prefetches the pixels under tiles of images, a few at a time, during other work. At the border
/// of an image it prefetches a little beyond it, which is harmless.
class TilePrefetch {
 public:
  /// Images as in TiledImages.
  TilePrefetch(const float* images, const Size2& size, int64_t channels, int64_t pixel,
               const TileGrid& grid, const TileGrid::Tile& first)
      : images_(images),
        size_(size),
        channels_(channels),
        pixel_(pixel),
        grid_(grid),
        tile_(first),
        at_(corner()) {}

  /// The next `count` rows of pixels, kWinogradTile of which make a tile.
  void prefetch(int64_t count) {
    constexpr int64_t kLine = 64 / sizeof(float);
    for (; count > 0; --count) {
      // Pixels whose channels follow each other are one run.
      const bool dense = channels_ == pixel_;
      const int64_t run = dense ? kWinogradTile * pixel_ : channels_;
      for (int64_t i = 0; i < (dense ? 1 : kWinogradTile); ++i) {
        const float* const start = at_ + i * pixel_;
        for (const float* at = start; at < start + run; at += kLine) __builtin_prefetch(at, 0, 2);
      }
      at_ += size_.w * pixel_;
      if (++row_ < kWinogradTile) continue;
      row_ = 0;
      grid_.advance(tile_);
      at_ = corner();
    }
  }

 private:
  const float* corner() const {
    return images_ + ((tile_.image * size_.h + tile_.row) * size_.w + tile_.column) * pixel_;
  }

  const float* images_;
  Size2 size_;
  int64_t channels_;
  int64_t pixel_;
  TileGrid grid_;
  TileGrid::Tile tile_;
  const float* at_;  ///< row row_ of tile_
  int64_t row_ = 0;
};

}  // namespace diagrad::kernels
