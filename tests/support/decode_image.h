#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/core/shape.h"

namespace diagrad::testing {

struct DecodedImage {
  Shape shape = {};  ///< [H,W,C]; without dimensions for what is no image
  std::vector<uint8_t> pixels = {};
};

/// What another program sees in the bytes of a PNG or JPEG file.
DecodedImage decode_image(const std::string& bytes);

/// The bytes of a text of base64.
std::string from_base64(const std::string& text);

}  // namespace diagrad::testing
