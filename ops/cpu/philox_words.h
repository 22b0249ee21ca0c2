#pragma once

#include <cstdint>

#include "diagrad/core/philox.h"

namespace diagrad::kernels {

/// The words of Philox blocks first to first + kBlocks - 1, as philox4x32 gives them, with the
/// rounds outside so that the loop over the blocks vectorises.
template <int64_t kBlocks>
void philox_words(uint64_t seed, uint64_t stream, uint64_t first, uint32_t* __restrict words) {
  uint32_t state[4][kBlocks];
  for (uint64_t k = 0; k < kBlocks; ++k) {
    state[0][k] = static_cast<uint32_t>(first + k);
    state[1][k] = static_cast<uint32_t>((first + k) >> 32);
    state[2][k] = static_cast<uint32_t>(stream);
    state[3][k] = static_cast<uint32_t>(stream >> 32);
  }
  auto key0 = static_cast<uint32_t>(seed);
  auto key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int64_t k = 0; k < kBlocks; ++k) {
      const Philox4 block =
          philox_round({{state[0][k], state[1][k], state[2][k], state[3][k]}}, key0, key1);
      for (int i = 0; i < 4; ++i) state[i][k] = block.word[i];
    }
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  for (int64_t k = 0; k < kBlocks; ++k) {
    for (int64_t i = 0; i < 4; ++i) words[4 * k + i] = state[i][k];
  }
}

}  // namespace diagrad::kernels
