#pragma once

#include <cstdint>

#include "diagrad/core/host_device.h"
#include "diagrad/core/philox.h"

namespace diagrad {

/// The mask of dropout: four neighbouring elements share one call of Philox.
struct DropoutMask {
  uint64_t seed = 0;
  uint64_t stream = 0;
  uint64_t threshold = 0;  ///< p * 2^32, rounded
  double scale = 1.0;      ///< of what is kept; 0 where nothing is

  /// Of elements 4 * group to 4 * group + 3: whether each is kept.
  DG_HOST_DEVICE void group(uint64_t group, bool (&keep)[4]) const {
    const Philox4 words = philox4x32(seed, stream, group);
    for (int i = 0; i < 4; ++i) keep[i] = words.word[i] >= threshold;
  }

  DG_HOST_DEVICE bool keeps(uint64_t element) const {
    bool keep[4];
    group(element / 4, keep);
    return keep[element % 4];
  }
};

}  // namespace diagrad
