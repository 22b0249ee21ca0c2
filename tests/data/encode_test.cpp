#include "diagrad/data/encode.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tests/support/decode_image.h"
#include "tests/support/op_case.h"

namespace diagrad::data {
namespace {

using testing::decode_image;
using testing::error_message;

std::vector<uint8_t> pixels_of(const Shape& shape) {
  std::vector<uint8_t> pixels(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * i * 37 + i / 5);
  return pixels;
}

TEST_CASE("a PNG file decodes to the same pixels, grey and coloured, at any size") {
  for (const int64_t height : {1, 2, 31, 32}) {
    for (const int64_t width : {1, 7, 32}) {
      for (const int64_t channels : {1, 3}) {
        const Shape shape = {height, width, channels};
        const std::vector<uint8_t> pixels = pixels_of(shape);
        const std::string bytes = encode_png(pixels.data(), shape);
        const testing::DecodedImage decoded = decode_image(bytes);
        CHECK(decoded.shape == shape);
        CHECK(decoded.pixels == pixels);
        CHECK(bytes == encode_png(pixels.data(), shape));
      }
    }
  }
}

TEST_CASE("a JPEG file is close to the pixels and smaller") {
  const Shape shape = {40, 56, 3};
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const int64_t row = i / (56 * 3);
    pixels.push_back(static_cast<uint8_t>(40 + 2 * row + i / 3 % 56 + 20 * (i % 3)));
  }
  const std::string bytes = encode_jpeg(pixels.data(), shape, 90);
  const testing::DecodedImage decoded = decode_image(bytes);
  REQUIRE(decoded.shape == shape);
  int worst = 0;
  for (size_t i = 0; i < pixels.size(); ++i) {
    worst = std::max(worst, std::abs(int{pixels[i]} - int{decoded.pixels[i]}));
  }
  CHECK(worst <= 12);
  CHECK(bytes.size() < pixels.size() / 3);
}

TEST_CASE("images that no file can hold are named") {
  const uint8_t pixel = 0;
  CHECK(error_message([&] {
          encode_png(&pixel, {1, 1, 2});
        }) == "encode_png: image [1,1,2], expected [H,W,C] with C 1 or 3 and sides up to 8192");
  CHECK(error_message([&] { encode_png(&pixel, {0, 1, 3}); }) != "");
  CHECK(error_message([&] { encode_png(&pixel, {1, 1}); }) != "");
  CHECK(error_message([&] {
          encode_jpeg(&pixel, {1, 1, 1}, 0);
        }) == "encode_jpeg: quality 0, expected 1 to 100");
}

}  // namespace
}  // namespace diagrad::data
