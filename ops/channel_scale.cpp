#include "diagrad/ops/channel_scale.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/channel_scale_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

void check(const char* op, const Tensor& x, const Tensor& s, const Tensor& residual) {
  DG_CHECK(x.rank() >= 2 && s.shape() == Shape({x.size(0), x.size(-1)}),
           "{}: expected input [B,...,C] and scale [B,C], got {} and {} (channels are the last "
           "axis)",
           op, x.shape(), s.shape());
  DG_CHECK(!residual.defined() || residual.shape() == x.shape(),
           "{}: residual has shape {}, input {}; they must be equal", op, residual.shape(),
           x.shape());
  DG_CHECK(x.dtype() == s.dtype() && (!residual.defined() || residual.dtype() == x.dtype()),
           "{}: input is {}, scale {}, residual {}; convert with to() so that they agree", op,
           x.dtype(), s.dtype(), residual.defined() ? name(residual.dtype()) : "absent");
}

Tensor scaled(const char* op, bool relu, const Tensor& input, const Tensor& scale,
              const Tensor& residual) {
  check(op, input, scale, residual);
  const Tensor x = input.contiguous();
  const Tensor s = scale.contiguous();
  const Tensor y = Tensor::empty_like(x);
  channel_scale_forward_kernel.on(x.device())(
      {x, s, residual.defined() ? residual.contiguous() : residual, relu, y});
  return autograd::record({op}, {input, scale, residual}, y,
                          [relu, x_shape = x.shape(), s_shape = s.shape(),
                           x = SavedTensor(scale.requires_grad() ? x : Tensor()),
                           s = SavedTensor(input.requires_grad() ? s : Tensor()),
                           y = SavedTensor(relu ? y : Tensor())](const BackwardContext& context) {
                            const Tensor dy = context.gradient();
                            ChannelScaleBackward pass;
                            pass.dy = dy.contiguous();
                            if (context.needs(0))
                              pass.dx = Tensor::empty(x_shape, dy.dtype(), dy.device());
                            if (context.needs(1))
                              pass.ds = Tensor::empty(s_shape, dy.dtype(), dy.device());
                            if (context.needs(2))
                              pass.dresidual = relu ? Tensor::empty_like(pass.dy) : dy;
                            pass.x = x.get(context);
                            pass.s = s.get(context);
                            pass.y = y.get(context);
                            channel_scale_backward_kernel.on(dy.device())(pass);
                            return Gradients{pass.dx, pass.ds, pass.dresidual};
                          });
}

}  // namespace

Tensor channel_scale(const Tensor& x, const Tensor& s) {
  return scaled("channel_scale", false, x, s, Tensor());
}

Tensor channel_scale_add(const Tensor& x, const Tensor& s, const Tensor& residual) {
  return scaled("channel_scale_add", false, x, s, residual);
}

Tensor channel_scale_add_relu(const Tensor& x, const Tensor& s, const Tensor& residual) {
  return scaled("channel_scale_add_relu", true, x, s, residual);
}

}  // namespace diagrad
