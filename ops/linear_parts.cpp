#include "diagrad/ops/linear_parts.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/bias_kernels.h"
#include "diagrad/ops/matmul_kernels.h"

namespace diagrad {
namespace {

/// As a contiguous matrix whose columns are the last axis.
MatrixOperand rows_of(const Tensor& tensor, bool transposed = false) {
  const Tensor dense = tensor.contiguous();
  return {dense, dense.size(-1), transposed};
}

}  // namespace

void check_linear(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias) {
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

Tensor linear_product(const Tensor& x, const Tensor& w, const Tensor& bias) {
  const int64_t outputs = w.size(0);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = outputs;
  const Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  matrix_product_kernel.on(x.device())({x.shape().numel(0, x.rank() - 1), outputs, w.size(1),
                                        rows_of(x), rows_of(w, true), y, outputs,
                                        bias.defined() ? bias.contiguous() : bias});
  return y;
}

Tensor input_gradient(const Tensor& dy, const Tensor& w, const Shape& x_shape) {
  const int64_t inputs = w.size(1);
  const Tensor dx = Tensor::empty(x_shape, dy.dtype(), dy.device());
  matrix_product_kernel.on(dy.device())({dy.shape().numel(0, dy.rank() - 1), inputs, w.size(0),
                                         rows_of(dy), rows_of(w), dx, inputs, Tensor()});
  return dx;
}

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

int64_t linear_multiply_adds(const Tensor& x, const Tensor& w) {
  return x.shape().numel(0, x.rank() - 1) * w.numel();
}

}  // namespace diagrad
