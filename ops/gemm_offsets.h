#pragma once

#include <cstdint>

namespace diagrad {

/// Where one product of a batch finds its operands, in elements from those of the batch.
struct GemmOffsets {
  int64_t a = 0;
  int64_t b = 0;
  int64_t c = 0;
};

}  // namespace diagrad
