#pragma once

#include <cstdint>

namespace diagrad::kernels {

/// C = A B (+ C) of matrices that are in cache already, each row `stride` elements behind the one
/// before: A [rows, inner], B [inner, vectors * kLanes<T>], C [rows, vectors * kLanes<T>].
template <typename T>
struct SmallProduct {
  int64_t rows;
  int64_t inner;
  const T* a;
  int64_t a_stride;
  const T* b;
  int64_t b_stride;
  T* c;
  int64_t c_stride;
  int64_t vectors;
  bool accumulate = false;
};

/// Runs on the calling thread. Each element is one sum in the order of the inner index, + C.
template <typename T>
void multiply_small(const SmallProduct<T>& product);

}  // namespace diagrad::kernels
