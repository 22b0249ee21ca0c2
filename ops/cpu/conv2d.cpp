#include "diagrad/core/dtype.h"
#include "diagrad/ops/conv2d_kernels.h"
#include "diagrad/ops/cpu/conv/convolution.h"

namespace diagrad {
namespace {

template <typename T>
const T* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

void forward_cpu(const ConvGeometry& geometry, const Tensor& x, const Tensor& w, const Tensor& bias,
                 const Tensor& y) {
  dispatch_floating(x.dtype(), "conv2d", [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::convolve<T>(geometry, x.data<T>(), w.data<T>(), data_or_null<T>(bias), y.data<T>());
  });
}

void input_gradient_cpu(const ConvGeometry& geometry, const Tensor& dy, const Tensor& w,
                        const Tensor& dx, bool accumulate) {
  dispatch_floating(dy.dtype(), "conv2d backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::convolve_input_gradient<T>(geometry, dy.data<T>(), w.data<T>(), dx.data<T>(),
                                        accumulate);
  });
}

void weight_gradient_cpu(const ConvGeometry& geometry, const Tensor& x, const Tensor& dy,
                         const Tensor& dw) {
  dispatch_floating(dy.dtype(), "conv2d backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::convolve_weight_gradient<T>(geometry, x.data<T>(), dy.data<T>(), dw.data<T>());
  });
}

[[maybe_unused]] const bool registered =
    conv_forward_kernel.set(DeviceType::cpu, forward_cpu) &&
    conv_input_gradient_kernel.set(DeviceType::cpu, input_gradient_cpu) &&
    conv_weight_gradient_kernel.set(DeviceType::cpu, weight_gradient_cpu);

}  // namespace
}  // namespace diagrad
