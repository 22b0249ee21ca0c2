#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/core/size2.h"

namespace diagrad::testing {

/// One call of a variant of map_variants.cpp: what its UnitSpec said of the call, and what came.
struct SeenCall {
  int64_t calls;     ///< of the unit
  int64_t channels;  ///< told
  int64_t call;      ///< the call's number within the unit
  Size2 told;        ///< (H, W)
  Size2 stride;      ///< told
  int64_t channels_got;
  Size2 got;
};

/// All calls since the last clear(), in order.
std::vector<SeenCall>& seen_calls();

}  // namespace diagrad::testing
