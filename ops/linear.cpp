#include "diagrad/ops/linear.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/bias_kernels.h"
#include "diagrad/ops/gelu_kernels.h"
#include "diagrad/ops/matmul_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias) {
  DG_CHECK(x.rank() >= 1 && w.rank() == 2,
           "{}: expected input [...,I] and weight [O,I], got {} and {}", op, x.shape(), w.shape());
  DG_CHECK(x.size(-1) == w.size(1),
           "{}: input has {} features but weight expects {}; input {}, weight {} (weight is "
           "[outputs, inputs])",
           op, x.size(-1), w.size(1), x.shape(), w.shape());
  DG_CHECK(x.dtype() == w.dtype() && (!bias.defined() || bias.dtype() == x.dtype()),
           "{}: input is {}, weight {}, bias {}; convert with to() so that they agree", op,
           x.dtype(), w.dtype(), bias.defined() ? name(bias.dtype()) : "absent");
  DG_CHECK(!bias.defined() || bias.shape() == Shape({w.size(0)}),
           "{}: bias has shape {}, expected [{}] for weight {}", op, bias.shape(), w.size(0),
           w.shape());
}

/// As a contiguous matrix whose columns are the last axis.
MatrixOperand rows_of(const Tensor& tensor, bool transposed = false) {
  const Tensor dense = tensor.contiguous();
  return {dense, dense.size(-1), transposed};
}

/// x w^T + bias.
Tensor product(const Tensor& x, const Tensor& w, const Tensor& bias) {
  const int64_t outputs = w.size(0);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = outputs;
  const Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  matrix_product_kernel.on(x.device())({x.shape().numel(0, x.rank() - 1), outputs, w.size(1),
                                        rows_of(x), rows_of(w, true), y, outputs,
                                        bias.defined() ? bias.contiguous() : bias});
  return y;
}

/// dy w, of the shape of x.
Tensor input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape) {
  const int64_t inputs = w.size(1);
  const Tensor dx = Tensor::empty(x_shape, dy.dtype(), dy.device());
  matrix_product_kernel.on(dy.device())({dy.shape().numel(0, dy.rank() - 1), inputs, w.size(0),
                                         rows_of(dy), rows_of(w), dx, inputs, Tensor()});
  return dx;
}

/// dy^T x.
Tensor weight_gradient(const Tensor& dy, const Tensor& x) {
  const int64_t inputs = x.size(-1);
  const int64_t outputs = dy.size(-1);
  const Tensor dw = Tensor::empty({outputs, inputs}, dy.dtype(), dy.device());
  matrix_product_kernel.on(dy.device())({outputs, inputs, dy.shape().numel(0, dy.rank() - 1),
                                         rows_of(dy, true), rows_of(x), dw, inputs, Tensor()});
  return dw;
}

Tensor bias_gradient(const Tensor& dy) {
  const Tensor dbias = Tensor::empty({dy.size(-1)}, dy.dtype(), dy.device());
  bias_gradient_kernel.on(dy.device())(dy, dbias);
  return dbias;
}

int64_t multiply_adds_of(const Tensor& x, const Tensor& w) {
  return x.shape().numel(0, x.rank() - 1) * w.numel();
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  constexpr const char* kOp = "linear";
  check(kOp, x, w, bias);
  return autograd::record(
      {kOp, multiply_adds_of(x, w)}, {x, w, bias}, product(x, w, bias),
      [x_shape = x.shape(), x = SavedTensor(w.requires_grad() ? x : Tensor()),
       w = SavedTensor(x.requires_grad() ? w : Tensor())](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        Gradients gradients(3);
        if (context.needs(0)) gradients[0] = input_gradient(dy, w.get(context), x_shape);
        if (context.needs(1)) gradients[1] = weight_gradient(dy, x.get(context));
        if (context.needs(2)) gradients[2] = bias_gradient(dy);
        return gradients;
      });
}

Tensor gelu_linear(const Tensor& x, const Tensor& w, const Tensor& bias, GeluForm form) {
  constexpr const char* kOp = "gelu_linear";
  check(kOp, x, w, bias);
  const Tensor dense = x.contiguous();
  const Tensor hidden = Tensor::empty(x.shape(), x.dtype(), x.device());
  gelu_kernel.on(x.device())(form, dense, hidden);
  return autograd::record(
      {kOp, multiply_adds_of(x, w)}, {x, w, bias}, product(hidden, w, bias),
      [form, x = SavedTensor(dense),
       w = SavedTensor(x.requires_grad() ? w : Tensor())](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const Tensor& saved = x.get(context);
        Gradients gradients(3);
        Tensor again;
        if (context.needs(1)) again = Tensor::empty(saved.shape(), dy.dtype(), dy.device());
        if (context.needs(0)) {
          gradients[0] = input_gradient(dy, w.get(context), saved.shape());
          gelu_backward_kernel.on(dy.device())(form, saved, gradients[0], again);
        } else if (context.needs(1)) {
          gelu_kernel.on(dy.device())(form, saved, again);
        }
        if (context.needs(1)) gradients[1] = weight_gradient(dy, again);
        if (context.needs(2)) gradients[2] = bias_gradient(dy);
        return gradients;
      });
}

}  // namespace diagrad
