#pragma once

#include <cstdint>

#include "diagrad/core/function_ref.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad::kernels {

// 1x1 convolutions with weights [O,I] for operations that make or use their results row by row,
// while the rows are in cache: the operation before or after takes no pass over memory of its own.
// The other 1x1 convolutions are products by gemm.h.

/// A right operand [inner, columns], packed once, for products with a few rows at a time.
template <typename T>
class PackedMatrix {
 public:
  /// The weights w [O,I] as they are, inner = O, or their transpose, inner = I.
  enum class Form { plain, transposed };
  PackedMatrix(Form form, const T* w, int64_t outputs, int64_t inputs);

  /// c = a * this (+ c where `accumulate`), all rows contiguous.
  void multiply(int64_t rows, const T* a, T* c, bool accumulate = false) const;

 private:
  Form form_;
  int64_t inner_;
  int64_t columns_;
  PanelSplit<T> split_;
  Scratch<T> packed_;
};

/// Whether the weights are few enough to stay in cache from one block of rows to the next.
inline bool pointwise_fits(int64_t outputs, int64_t inputs) {
  return outputs * inputs <= int64_t{1} << 17;
}

/// dx [rows,I] = dy * w, added to what is there where `accumulate`, and dw [O,I] = dy^T * x; either
/// may be null.
template <typename T>
struct PointwiseGradients {
  int64_t rows = 0;
  int64_t outputs = 0;
  int64_t inputs = 0;
  const T* x = nullptr;
  const T* w = nullptr;
  T* dx = nullptr;
  T* dw = nullptr;
  bool accumulate = false;
};

/// Writes rows [first, first + count) of an operand, contiguous, to memory nobody else sees.
template <typename T>
using MakeRows = FunctionRef<void(int64_t first, int64_t count, T* rows)>;

/// Runs over all threads; make_dy gives the rows of dy, make_x those of x where x is null. Same
/// bits for any number of threads.
template <typename T>
void pointwise_gradients(const PointwiseGradients<T>& gradients, MakeRows<T> make_dy,
                         MakeRows<T> make_x);

}  // namespace diagrad::kernels
