#pragma once

#include <bit>
#include <cstdint>

namespace diagrad {

/// The value of an IEEE half, which files may hold and tensors do not.
inline float half_to_float(uint16_t bits) {
  const uint32_t magnitude = bits & 0x7fffU;
  // The product rebases the exponent and is exact, for subnormal values, too.
  const float finite = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  const uint32_t word =
      magnitude < 0x7c00U ? std::bit_cast<uint32_t>(finite) : 0x7f800000U | (magnitude << 13);
  return std::bit_cast<float>(word | (static_cast<uint32_t>(bits & 0x8000U) << 16));
}

}  // namespace diagrad
