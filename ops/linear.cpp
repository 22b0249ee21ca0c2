#include "diagrad/ops/linear.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/bias_kernels.h"
#include "diagrad/ops/matmul_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check(const Tensor& x, const Tensor& w, const Tensor& bias) {
  DG_CHECK(x.rank() >= 1 && w.rank() == 2,
           "linear: expected input [...,I] and weight [O,I], got {} and {}", x.shape(), w.shape());
  DG_CHECK(x.size(-1) == w.size(1),
           "linear: input has {} features but weight expects {}; input {}, weight {} (weight is "
           "[outputs, inputs])",
           x.size(-1), w.size(1), x.shape(), w.shape());
  DG_CHECK(x.dtype() == w.dtype() && (!bias.defined() || bias.dtype() == x.dtype()),
           "linear: input is {}, weight {}, bias {}; convert with to() so that they agree",
           x.dtype(), w.dtype(), bias.defined() ? name(bias.dtype()) : "absent");
  DG_CHECK(!bias.defined() || bias.shape() == Shape({w.size(0)}),
           "linear: bias has shape {}, expected [{}] for weight {}", bias.shape(), w.size(0),
           w.shape());
}

/// As a contiguous matrix whose columns are the last axis.
MatrixOperand rows_of(const Tensor& tensor, bool transposed = false) {
  const Tensor dense = tensor.contiguous();
  return {dense, dense.size(-1), transposed};
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check(x, w, bias);
  const int64_t inputs = w.size(1);
  const int64_t outputs = w.size(0);
  const int64_t rows = x.shape().numel(0, x.rank() - 1);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = outputs;
  const Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  matrix_product_kernel.on(x.device())({rows, outputs, inputs, rows_of(x), rows_of(w, true), y,
                                        outputs, bias.defined() ? bias.contiguous() : bias});
  return autograd::record(
      {"linear", rows * outputs * inputs}, {x, w, bias}, y,
      [=, x_shape = x.shape(), x = SavedTensor(w.requires_grad() ? x : Tensor()),
       w = SavedTensor(x.requires_grad() ? w : Tensor())](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const auto product = matrix_product_kernel.on(dy.device());
        Gradients gradients(3);
        if (context.needs(0)) {
          gradients[0] = Tensor::empty(x_shape, dy.dtype(), dy.device());
          product({rows, inputs, outputs, rows_of(dy), rows_of(w.get(context)), gradients[0],
                   inputs, Tensor()});
        }
        if (context.needs(1)) {
          gradients[1] = Tensor::empty({outputs, inputs}, dy.dtype(), dy.device());
          product({outputs, inputs, rows, rows_of(dy, true), rows_of(x.get(context)), gradients[1],
                   inputs, Tensor()});
        }
        if (context.needs(2)) {
          gradients[2] = Tensor::empty({outputs}, dy.dtype(), dy.device());
          bias_gradient_kernel.on(dy.device())(dy, gradients[2]);
        }
        return gradients;
      });
}

}  // namespace diagrad
