#include "diagrad/ops/unary.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/unary_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

Tensor apply(const char* name, UnaryFunction function, const Tensor& x, double a = 0.0,
             double b = 0.0) {
  DG_CHECK(x.dtype() == DType::f32 || x.dtype() == DType::f64,
           "{}: needs an f32 or f64 tensor, got {} {}", name, x.dtype(), x.shape());
  const Tensor y = Tensor::empty_like(x);
  unary_kernel.on(x.device())(function, a, b, x, y);
  const unary::Saves saves =
      unary::visit<double>(function, a, b, [](auto f) { return decltype(f)::kSaves; });
  const bool keeps = saves != unary::Saves::nothing;
  const SavedTensor saved(!keeps ? Tensor() : saves == unary::Saves::output ? y : x);
  return autograd::record({name}, {x}, y, [=](const BackwardContext& context) {
    const Tensor dy = context.gradient();
    const Tensor dx = Tensor::empty_like(dy);
    const Tensor& argument = keeps ? saved.get(context) : dy;
    unary_backward_kernel.on(dy.device())(function, a, b, argument, dy, dx);
    return Gradients{dx};
  });
}

}  // namespace

Tensor neg(const Tensor& x) {
  return apply("neg", UnaryFunction::neg, x);
}
Tensor exp(const Tensor& x) {
  return apply("exp", UnaryFunction::exp, x);
}
Tensor log(const Tensor& x) {
  return apply("log", UnaryFunction::log, x);
}
Tensor sqrt(const Tensor& x) {
  return apply("sqrt", UnaryFunction::sqrt, x);
}
Tensor abs(const Tensor& x) {
  return apply("abs", UnaryFunction::abs, x);
}

Tensor pow(const Tensor& x, double exponent) {
  return apply("pow", UnaryFunction::pow, x, exponent);
}

Tensor clamp(const Tensor& x, double low, double high) {
  DG_CHECK(low <= high, "clamp: the bounds [{}, {}] are the wrong way round", low, high);
  return apply("clamp", UnaryFunction::clamp, x, low, high);
}

Tensor affine(const Tensor& x, double scale, double shift) {
  return apply("affine", UnaryFunction::affine, x, scale, shift);
}

Tensor sigmoid(const Tensor& x) {
  return apply("sigmoid", UnaryFunction::sigmoid, x);
}
Tensor tanh(const Tensor& x) {
  return apply("tanh", UnaryFunction::tanh, x);
}
Tensor relu(const Tensor& x) {
  return apply("relu", UnaryFunction::relu, x);
}
Tensor gelu(const Tensor& x) {
  return apply("gelu", UnaryFunction::gelu, x);
}
Tensor gelu_tanh(const Tensor& x) {
  return apply("gelu_tanh", UnaryFunction::gelu_tanh, x);
}
Tensor silu(const Tensor& x) {
  return apply("silu", UnaryFunction::silu, x);
}
Tensor softplus(const Tensor& x) {
  return apply("softplus", UnaryFunction::softplus, x);
}
Tensor hardswish(const Tensor& x) {
  return apply("hardswish", UnaryFunction::hardswish, x);
}

}  // namespace diagrad
