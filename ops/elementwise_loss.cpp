#include "diagrad/autograd/record.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/elementwise_loss_kernels.h"
#include "diagrad/ops/elementwise_loss_math.h"
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

template <typename Loss, typename T>
void add_losses(int64_t width, const T* x, const T* y, T* sums) {
  using V = MathVec<T>;
  map_math(
      width, [](V sum, V a, V b) { return sum + Loss::value(a, b); }, sums, sums, x, y);
}

template <typename Loss>
void forward_cpu(const Tensor& x, const Tensor& y, const Tensor& loss) {
  dispatch_floating(x.dtype(), "loss", [&](auto tag) {
    using T = typename decltype(tag)::type;
    double total = 0.0;
    kernels::column_sums_of<1, T>(
        kernels::ChannelTiling(1), x.numel(), &total, [&](int64_t offset, int64_t width, T* sums) {
          add_losses<Loss>(width, x.data<T>() + offset, y.data<T>() + offset, sums);
        });
    *loss.data<T>() = static_cast<T>(total / static_cast<double>(x.numel()));
  });
}

template <typename Loss>
void backward_cpu(const ElementwiseLossBackward& pass) {
  dispatch_floating(pass.x.dtype(), "loss backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T factor = *pass.dloss.data<T>() / static_cast<T>(pass.x.numel());
    if (pass.dx.defined()) {
      elementwise_math<T>(
          pass.dx, [factor](auto x, auto y) { return factor * Loss::dx(x, y); }, pass.x, pass.y);
    }
    if (pass.dy.defined()) {
      elementwise_math<T>(
          pass.dy, [factor](auto x, auto y) { return factor * Loss::dy(x, y); }, pass.x, pass.y);
    }
  });
}

[[maybe_unused]] const bool registered =
    mse_kernel.set(DeviceType::cpu, forward_cpu<SquaredError>) &&
    mse_backward_kernel.set(DeviceType::cpu, backward_cpu<SquaredError>) &&
    bce_with_logits_kernel.set(DeviceType::cpu, forward_cpu<LogisticLoss>) &&
    bce_with_logits_backward_kernel.set(DeviceType::cpu, backward_cpu<LogisticLoss>);

}  // namespace

Tensor mse(const Tensor& x, const Tensor& y) {
  return elementwise_loss("mse", mse_kernel, mse_backward_kernel, x, y);
}

Tensor bce_with_logits(const Tensor& x, const Tensor& y) {
  return elementwise_loss("bce_with_logits", bce_with_logits_kernel,
                          bce_with_logits_backward_kernel, x, y);
}

}  // namespace diagrad
