#pragma once

#include <optional>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/batch_norm_kernels.h"
#include "diagrad/ops/kernels/pointwise.h"

namespace diagrad {

/// The convolution in front of a normalisation, if there is one, for the CPU's loops.
template <typename T>
class FrontRows {
 public:
  FrontRows(const PointwiseFront& front, const Tensor& x)
      : input_(front.defined() ? front.input.data<T>() : nullptr),
        x_(x.data<T>()),
        outputs_(x.size(-1)) {
    if (!front.defined()) return;
    inputs_ = front.input.size(-1);
    weights_.emplace(kernels::PackedMatrix<T>::Form::transposed, front.weight.template data<T>(),
                     outputs_, inputs_);
  }

  /// Writes rows [first, first + rows) of x.
  void make(int64_t first, int64_t rows) const {
    if (!weights_.has_value()) return;
    weights_->multiply(rows, input_ + first * inputs_, x_ + first * outputs_);
  }

 private:
  const T* input_;
  T* x_;
  int64_t outputs_;
  int64_t inputs_ = 0;
  std::optional<kernels::PackedMatrix<T>> weights_;
};

/// The gradients behind the convolution; make_dx as make_dy of pointwise_gradients.
template <typename T>
void front_gradients(const PointwiseFrontGradients& front,
                     FunctionRef<void(int64_t, int64_t, T*)> make_dx) {
  kernels::PointwiseGradients<T> pass;
  pass.outputs = front.front.weight.size(0);
  pass.inputs = front.front.input.size(-1);
  pass.rows = pass.inputs == 0 ? 0 : front.front.input.numel() / pass.inputs;
  pass.x = front.front.input.data<T>();
  pass.w = front.front.weight.data<T>();
  if (front.dinput.defined()) pass.dx = front.dinput.data<T>();
  if (front.dweight.defined()) pass.dw = front.dweight.data<T>();
  pass.accumulate = front.accumulate;
  kernels::pointwise_gradients<T>(pass, make_dx);
}

}  // namespace diagrad
