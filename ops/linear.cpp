#include "diagrad/ops/linear.h"

#include "diagrad/autograd/record.h"
#include "diagrad/ops/gelu_kernels.h"
#include "diagrad/ops/linear_parts.h"
#include "diagrad/ops/unary_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

/// gelu(x) without a graph.
Tensor activations(const Tensor& x, GeluForm form) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const auto function = form == GeluForm::exact ? UnaryFunction::gelu : UnaryFunction::gelu_tanh;
  unary_kernel.on(x.device())(function, 0.0, 0.0, x, y);
  return y;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  constexpr const char* kOp = "linear";
  check_linear(kOp, x, w, bias);
  return autograd::record(
      {kOp, linear_multiply_adds(x, w)}, {x, w, bias}, linear_product(x, w, bias),
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
  check_linear(kOp, x, w, bias);
  const Tensor dense = x.contiguous();
  return autograd::record(
      {kOp, linear_multiply_adds(x, w)}, {x, w, bias},
      linear_product(activations(dense, form), w, bias),
      [form, x = SavedTensor(dense),
       w = SavedTensor(x.requires_grad() ? w : Tensor())](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const Tensor& saved = x.get(context);
        Gradients gradients(3);
        Tensor again;
        if (context.needs(0)) {
          if (context.needs(1)) again = Tensor::empty(saved.shape(), dy.dtype(), dy.device());
          gradients[0] = input_gradient(dy, w.get(context), saved.shape());
          gelu_backward_kernel.on(dy.device())(form, saved, gradients[0], again);
        } else if (context.needs(1)) {
          again = activations(saved, form);
        }
        if (context.needs(1)) gradients[1] = weight_gradient(dy, again);
        if (context.needs(2)) gradients[2] = bias_gradient(dy);
        return gradients;
      });
}

}  // namespace diagrad
