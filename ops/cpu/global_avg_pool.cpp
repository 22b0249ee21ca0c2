#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/ops/cpu/image_parts.h"
#include "diagrad/ops/pool_kernels.h"

namespace diagrad {
namespace {

void forward_cpu(const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "global_avg_pool", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const kernels::ImageParts images(x.shape());
    const T* const data = x.data<T>();
    images.sum(y.data<T>(), 1.0 / static_cast<double>(images.rows), [=](int64_t /*image*/) {
      return [data](int64_t offset, int64_t width, T* partial) {
        const T* __restrict value = data + offset;
        T* __restrict sum = partial;
        for (int64_t i = 0; i < width; ++i) sum[i] += value[i];
      };
    });
  });
}

void backward_cpu(const Tensor& dy, int64_t positions, const Tensor& share) {
  dispatch_floating(dy.dtype(), "global_avg_pool backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto count = static_cast<T>(positions);
    elementwise<T, T>(
        share, [count](T gradient) { return gradient / count; }, dy);
  });
}

[[maybe_unused]] const bool registered =
    global_avg_pool_kernel.set(DeviceType::cpu, forward_cpu) &&
    global_avg_pool_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
