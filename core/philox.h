#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "diagrad/core/host_device.h"

namespace diagrad {

/// Philox4x32-10: four 32-bit words as a function of a 128-bit counter and a 64-bit key.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
struct Philox4 {
  uint32_t word[4];
};

inline constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9U;  ///< added to the key after each round
inline constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85U;

DG_HOST_DEVICE inline Philox4 philox_round(const Philox4& c, uint32_t key0, uint32_t key1) {
  constexpr uint32_t kMultiply0 = 0xD2511F53U;
  constexpr uint32_t kMultiply1 = 0xCD9E8D57U;
  const uint64_t product0 = static_cast<uint64_t>(kMultiply0) * c.word[0];
  const uint64_t product1 = static_cast<uint64_t>(kMultiply1) * c.word[2];
  return {
      {static_cast<uint32_t>(product1 >> 32) ^ c.word[1] ^ key0, static_cast<uint32_t>(product1),
       static_cast<uint32_t>(product0 >> 32) ^ c.word[3] ^ key1, static_cast<uint32_t>(product0)}};
}

DG_HOST_DEVICE inline Philox4 philox4x32(uint64_t key, uint64_t counter_high,
                                         uint64_t counter_low) {
  Philox4 c{{static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
             static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)}};
  auto key0 = static_cast<uint32_t>(key);
  auto key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    c = philox_round(c, key0, key1);
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  return c;
}

/// 24 random bits as a float in [0, 1).
DG_HOST_DEVICE inline float uniform_float(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

/// 53 random bits as a double in [0, 1).
DG_HOST_DEVICE inline double uniform_double(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace diagrad
