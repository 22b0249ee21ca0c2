#include "diagrad/data/image_grid.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/data/transform.h"
#include "tests/support/op_case.h"

namespace diagrad::data {
namespace {

using testing::error_message;

TEST_CASE("a grid is about square, and as large as a PNG may be") {
  const Shape image = {32, 32, 3};
  CHECK(grid_size(image, 64, 0).columns == 8);
  CHECK(grid_size(image, 65, 0).columns == 9);
  CHECK(grid_size(image, 1, 0).columns == 1);
  CHECK(grid_size(image, 64, 10).columns == 10);
  CHECK(grid_size(image, 50'000, 0).images == 1024);
  const GridSize large = grid_size({1000, 2000, 1}, 100, 0);
  CHECK(large.columns == 4);
  CHECK(large.images == 32);
  CHECK(error_message([&] { grid_size(image, 64, 300); }) ==
        "columns: 300 images of 32 pixels are wider than the 8192 pixels of a grid; use up to 240");
  CHECK(error_message([&] {
          grid_size({32, 32, 2}, 64, 0);
        }).starts_with("grid: images [32,32,2] fit no PNG file"));
}

TEST_CASE("images stand in rows, with a white border") {
  const std::vector<uint8_t> pixels = {1, 2, 3, 4, 5, 6};  // three images of 1 x 2
  const ImageGrid grid = image_grid(pixels.data(), {1, 2, 1}, {.images = 3, .columns = 2});
  CHECK(grid.image == Shape{8, 10, 1});
  const auto row = [&](int64_t y) {
    return std::vector<uint8_t>(grid.pixels.begin() + y * 10, grid.pixels.begin() + (y + 1) * 10);
  };
  const uint8_t w = 255;
  CHECK(row(0) == std::vector<uint8_t>(10, w));
  CHECK(row(2) == std::vector<uint8_t>{w, w, 1, 2, w, w, 3, 4, w, w});
  CHECK(row(5) == std::vector<uint8_t>{w, w, 5, 6, w, w, w, w, w, w});
}

TEST_CASE("normalised images go back to their bytes, values beyond the ends are cut") {
  for (const Normalization& preset : normalizations()) {
    CAPTURE(preset.name);
    std::vector<uint8_t> bytes;
    for (int i = 0; i < 256 * 3; ++i) bytes.push_back(static_cast<uint8_t>(i / 3));
    const Shape image = {16, 16, 3};
    std::vector<float> values(bytes.size());
    Geometry geometry;
    const Transform transform(image, preset);
    transform.choose({16, 16}, 0, 0, geometry);
    transform.apply(bytes.data(), geometry, 0, 0, values.data());
    const Tensor images = Tensor::from(std::span<const float>(values), {1, 16, 16, 3});
    CHECK(to_bytes(images, preset) == bytes);
  }
  const Tensor beyond = Tensor::from<double>({-1.5, 1.5, 0.0}, {1, 1, 1, 3});
  CHECK(to_bytes(beyond, normalization("half")) == std::vector<uint8_t>{0, 255, 128});
  CHECK(error_message([] {
          to_bytes(Tensor::full({1, 1, 1, 1}, std::nan(""), DType::f32), normalization("half"));
        }) == "to_bytes: images [1,1,1,1] hold a NaN");
}

}  // namespace
}  // namespace diagrad::data
