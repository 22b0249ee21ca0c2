#pragma once

#include <cstdint>
#include <span>

#include "diagrad/ops/gemm_offsets.h"

namespace diagrad::kernels {

/// C = alpha * op(A) * op(B) (+ bias, one value per column) (+ C when accumulating), where op(A) is
/// [m,k] and op(B) is [k,n]. All three are row-major with any row strides; a transposed operand is
/// stored as [k,m] or [n,k]. Sizes of zero are fine: k = 0 leaves bias (+ C).
template <typename T>
struct Gemm {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  const T* a = nullptr;
  int64_t a_stride = 0;
  bool transpose_a = false;
  const T* b = nullptr;
  int64_t b_stride = 0;
  bool transpose_b = false;
  T* c = nullptr;
  int64_t c_stride = 0;
  T alpha = 1;
  const T* bias = nullptr;
  bool accumulate = false;
};

/// Runs one product over all threads, or on the calling one when it is small. The cut into tiles
/// and the order of every sum depend on the sizes alone: same bits for any number of threads.
template <typename T>
void gemm(const Gemm<T>& product);

/// Runs `product` once per entry. Entries with the same `c` must follow each other: their products
/// are added up in order, the first as the product says, the others accumulating.
template <typename T>
void gemm_batch(const Gemm<T>& product, std::span<const GemmOffsets> offsets);

}  // namespace diagrad::kernels
