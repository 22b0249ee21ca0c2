#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/elementwise_loss_kernels.h"
#include "diagrad/ops/losses.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

template <typename Forward, typename Backward>
Tensor elementwise_loss(const char* op, const Forward& forward, const Backward& backward,
                        const Tensor& x, const Tensor& y) {
  DG_CHECK(x.shape() == y.shape() && x.dtype() == y.dtype(),
           "{}: expected two tensors of equal shape and dtype, got {} {} and {} {}", op, x.dtype(),
           x.shape(), y.dtype(), y.shape());
  DG_CHECK(x.numel() > 0, "{}: tensors of shape {} are empty, their mean is undefined", op,
           x.shape());
  const Tensor loss = Tensor::empty({}, x.dtype(), x.device());
  const Tensor left = x.contiguous();
  const Tensor right = y.contiguous();
  forward.on(x.device())(left, right, loss);
  return autograd::record(
      {op}, {x, y}, loss,
      [&backward, x = SavedTensor(left), y = SavedTensor(right)](const BackwardContext& context) {
        ElementwiseLossBackward pass{x.get(context), y.get(context), context.gradient(), {}, {}};
        if (context.needs(0)) pass.dx = Tensor::empty_like(pass.x);
        if (context.needs(1)) pass.dy = Tensor::empty_like(pass.x);
        backward.on(pass.x.device())(pass);
        return Gradients{pass.dx, pass.dy};
      });
}

}  // namespace

Tensor mse(const Tensor& x, const Tensor& y) {
  return elementwise_loss("mse", mse_kernel, mse_backward_kernel, x, y);
}

Tensor bce_with_logits(const Tensor& x, const Tensor& y) {
  return elementwise_loss("bce_with_logits", bce_with_logits_kernel,
                          bce_with_logits_backward_kernel, x, y);
}

}  // namespace diagrad
