#pragma once

#include <cstdint>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

/// The first index outside a range, by its row-major position; position -1 where there is none.
struct IndexOutOfRange {
  int64_t position = -1;
  int64_t value = 0;

  bool found() const { return position >= 0; }
};

/// (indices, size): indices is i64 and contiguous; each must be in [0, size).
inline KernelTable<IndexOutOfRange(const Tensor& indices, int64_t size)> index_range_kernel{
    "index range"};

}  // namespace diagrad
