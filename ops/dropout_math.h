#pragma once

#include <cstdint>

#include "diagrad/core/host_device.h"
#include "diagrad/core/philox.h"

namespace diagrad {

/// The mask of dropout: element i is dropped where word i % 4 of Philox block i / 4 is below the
/// threshold.
struct DropoutMask {
  uint64_t seed = 0;
  uint64_t stream = 0;
  uint64_t threshold = 0;  ///< p * 2^32, rounded
  double scale = 1.0;      ///< of what is kept; 0 where nothing is

  DG_HOST_DEVICE bool keeps(uint64_t element) const {
    return philox4x32(seed, stream, element / 4).word[element % 4] >= threshold;
  }
};

}  // namespace diagrad
