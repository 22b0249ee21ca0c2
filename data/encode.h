#pragma once

#include <cstdint>
#include <string>

#include "diagrad/core/shape.h"

namespace diagrad::data {

/// Of an image that is encoded.
inline constexpr int64_t kMostImageSide = 1 << 13;

/// The bytes of a PNG file, without loss. pixels: u8 [H,W,C] with C 1 (grey) or 3 (red, green,
/// blue). The same pixels give the same bytes. Throws for another shape.
std::string encode_png(const uint8_t* pixels, const Shape& image);

/// The bytes of a JPEG file; quality 1 to 100. The rest as encode_png.
std::string encode_jpeg(const uint8_t* pixels, const Shape& image, int quality);

}  // namespace diagrad::data
