#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/core/kernel_table.h"
#include "diagrad/core/tensor.h"
#include "diagrad/ops/gemm_offsets.h"

namespace diagrad {

/// Matrices inside a tensor: row-major or, when transposed, column-major, `stride` apart.
struct MatrixOperand {
  Tensor tensor;
  int64_t stride = 0;
  bool transposed = false;
};

/// c = op(a) op(b) (+ bias, may be undefined) for each entry of `batch`, whose offsets are in
/// elements; entries with the same c offset follow each other and are added up. `accumulate` adds
/// to what c holds.
struct MatrixProduct {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  MatrixOperand a;
  MatrixOperand b;
  Tensor c;
  int64_t c_stride = 0;
  Tensor bias = {};
  bool accumulate = false;
  std::vector<GemmOffsets> batch = {{}};
};

/// Any floating dtype the device supports; all tensors have the same one.
inline KernelTable<void(const MatrixProduct&)> matrix_product_kernel{"matmul"};

}  // namespace diagrad
