#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/core/shape.h"

namespace diagrad::data {

/// Images side by side, row by row, with a white border of two pixels around each.
struct ImageGrid {
  Shape image = {};  ///< of the whole, [H,W,C]
  std::vector<uint8_t> pixels = {};
};

/// How many of `count` images go into a grid, and into how many columns, 0: about as many as rows.
/// As many whole rows as encode_png() takes, at most 1024 images. Throws Error(usage) for more
/// columns than it takes.
struct GridSize {
  int64_t images = 0;
  int64_t columns = 0;
};
GridSize grid_size(const Shape& image, int64_t count, int64_t columns);

/// pixels: u8 [images,H,W,C].
ImageGrid image_grid(const uint8_t* pixels, const Shape& image, const GridSize& size);

}  // namespace diagrad::data
