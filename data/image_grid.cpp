#include "diagrad/data/image_grid.h"

#include <algorithm>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/data/encode.h"

namespace diagrad::data {
namespace {

constexpr int64_t kBorder = 2;
constexpr int64_t kMostImages = 1024;
constexpr uint8_t kWhite = 255;

/// How many sides of that length, each with a border, fit into an image.
int64_t most_in_a_row(int64_t side) {
  return (kMostImageSide - kBorder) / (side + kBorder);
}

}  // namespace

GridSize grid_size(const Shape& image, int64_t count, int64_t columns) {
  const int64_t most_columns = most_in_a_row(image[1]);
  const int64_t most_rows = most_in_a_row(image[0]);
  DG_CHECK(most_columns >= 1 && most_rows >= 1 && (image[2] == 1 || image[2] == 3),
           "grid: images {} fit no PNG file of at most {} pixels a side with 1 or 3 channels; use "
           "--npz",
           image, kMostImageSide);
  DG_CHECK(columns <= most_columns,
           "columns: {} images of {} pixels are wider than the {} pixels of a grid; use up to {}",
           columns, image[1], kMostImageSide, most_columns);
  const int64_t shown = std::min(count, kMostImages);
  if (columns == 0) {
    const auto root = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
    columns = std::min(root, most_columns);
  }
  return {.images = std::min(shown, columns * most_rows), .columns = columns};
}

ImageGrid image_grid(const uint8_t* pixels, const Shape& image, const GridSize& size) {
  const int64_t rows = (size.images + size.columns - 1) / size.columns;
  const int64_t line = image[1] * image[2];
  ImageGrid grid;
  grid.image = {rows * (image[0] + kBorder) + kBorder,
                size.columns * (image[1] + kBorder) + kBorder, image[2]};
  grid.pixels.assign(static_cast<size_t>(grid.image.numel()), kWhite);
  for (int64_t i = 0; i < size.images; ++i) {
    const int64_t top = i / size.columns * (image[0] + kBorder) + kBorder;
    const int64_t left = i % size.columns * (image[1] + kBorder) + kBorder;
    for (int64_t y = 0; y < image[0]; ++y) {
      const uint8_t* from = pixels + (i * image[0] + y) * line;
      std::copy_n(from, line, grid.pixels.data() + ((top + y) * grid.image[1] + left) * image[2]);
    }
  }
  return grid;
}

}  // namespace diagrad::data
