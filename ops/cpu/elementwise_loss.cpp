#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/cpu/channel_tiling.h"
#include "diagrad/ops/elementwise_loss_kernels.h"
#include "diagrad/ops/elementwise_loss_math.h"

namespace diagrad {
namespace {

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
}  // namespace diagrad
