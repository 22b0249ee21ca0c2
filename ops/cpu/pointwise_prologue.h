#pragma once

#include <optional>

#include "diagrad/core/dtype.h"
#include "diagrad/ops/batch_norm_kernels.h"
#include "diagrad/ops/batch_norm_math.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/cpu/gemm/pointwise.h"
#include "diagrad/ops/cpu/normal_lines.h"

namespace diagrad {

/// The rows of the convolution whose result is normalised; makes none where there is no
/// convolution.
template <typename T>
class PrologueRows {
 public:
  PrologueRows(const PointwisePrologue& prologue, const Tensor& x)
      : input_(prologue.defined() ? prologue.input.data<T>() : nullptr),
        x_(x.data<T>()),
        outputs_(x.size(-1)) {
    if (!prologue.defined()) return;
    inputs_ = prologue.input.size(-1);
    weights_.emplace(kernels::PackedMatrix<T>::Form::transposed, prologue.weight.template data<T>(),
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

/// The affine form of each channel of a pass, over a line.
template <typename T>
class AffineLines {
 public:
  template <typename Pass>
  AffineLines(const kernels::ChannelTiling& tiling, const Pass& pass)
      : pivot(tiling, [&](int64_t c) { return channel(pass, c).pivot; }),
        scale(tiling, [&](int64_t c) { return channel(pass, c).scale; }),
        shift(tiling, [&](int64_t c) { return channel(pass, c).shift; }) {}

  kernels::ChannelBroadcast<T> pivot, scale, shift;

 private:
  template <typename Pass>
  static BatchNormAffine<T> channel(const Pass& pass, int64_t c) {
    return {pass.mean.template data<double>()[c], pass.rstd.template data<double>()[c],
            pass.gamma.defined() ? static_cast<double>(pass.gamma.template data<T>()[c]) : 1.0,
            pass.beta.defined() ? static_cast<double>(pass.beta.template data<T>()[c]) : 0.0};
  }
};

/// The rows of a normalised tensor.
template <typename T>
class NormalRows {
 public:
  NormalRows(const kernels::ChannelTiling& tiling, const BatchNormForward& pass)
      : tiling_(tiling), affine_(tiling, pass), x_(pass.x.template data<T>()), relu_(pass.relu) {}

  /// Writes rows [first, first + rows) to y.
  void make(int64_t first, int64_t rows, T* y) const {
    relu_ ? make_as<true>(first, rows, y) : make_as<false>(first, rows, y);
  }

 private:
  template <bool relu>
  void make_as(int64_t first, int64_t rows, T* y) const {
    const T* const x = x_ + first * tiling_.columns;
    kernels::for_each_line(tiling_, rows, [&](int64_t offset, int64_t width) {
      kernels::forward_line<relu>(width, x + offset, affine_.pivot.data(), affine_.scale.data(),
                                  affine_.shift.data(), y + offset);
    });
  }

  kernels::ChannelTiling tiling_;
  AffineLines<T> affine_;
  const T* x_;
  bool relu_;
};

/// The gradients behind the convolution; make_dx as make_dy of pointwise_gradients.
template <typename T>
void prologue_gradients(const PointwisePrologueGradients& prologue, kernels::MakeRows<T> make_dx) {
  const bool is_made = !prologue.prologue.input.defined();
  const Tensor& input = is_made ? prologue.made.x : prologue.prologue.input;
  kernels::PointwiseGradients<T> pass;
  pass.outputs = prologue.prologue.weight.size(0);
  pass.inputs = input.size(-1);
  pass.rows = pass.inputs == 0 ? 0 : input.numel() / pass.inputs;
  pass.x = is_made ? nullptr : input.data<T>();
  pass.w = prologue.prologue.weight.data<T>();
  if (prologue.dinput.defined()) pass.dx = prologue.dinput.data<T>();
  if (prologue.dweight.defined()) pass.dw = prologue.dweight.data<T>();
  pass.accumulate = prologue.accumulate;
  std::optional<NormalRows<T>> rows;
  if (is_made) rows.emplace(kernels::ChannelTiling(pass.inputs), prologue.made);
  kernels::pointwise_gradients<T>(
      pass, make_dx, [&](int64_t first, int64_t count, T* x) { rows->make(first, count, x); });
}

}  // namespace diagrad
