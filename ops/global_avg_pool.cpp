#include "diagrad/autograd/record.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/elementwise.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/cpu/image_parts.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/pool_kernels.h"

namespace diagrad {
namespace {

/// [B,C] as a view of shape [B,...,C] that repeats it over all positions.
Tensor repeat_over_positions(const Tensor& vectors, const Shape& shape) {
  Shape strides = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) strides[axis] = 0;
  strides[0] = vectors.strides()[0];
  strides[shape.rank() - 1] = 1;
  return vectors.strided(shape, strides);
}

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

Tensor global_avg_pool(const Tensor& x) {
  DG_CHECK(x.rank() >= 2, "global_avg_pool: expected input [B,...,C] of rank 2 or more, got {}",
           x.shape());
  const int64_t positions = x.shape().numel(1, x.rank() - 1);
  DG_CHECK(positions > 0, "global_avg_pool: input {} has no positions to average over", x.shape());
  const Tensor y = Tensor::empty({x.size(0), x.size(-1)}, x.dtype(), x.device());
  global_avg_pool_kernel.on(x.device())(x.contiguous(), y);
  return autograd::record({"global_avg_pool"}, {x}, y,
                          [positions, shape = x.shape()](const autograd::BackwardContext& context) {
                            const Tensor dy = context.gradient();
                            const Tensor share = Tensor::empty_like(dy);
                            global_avg_pool_backward_kernel.on(dy.device())(dy, positions, share);
                            // A view: where x has other uses, the sum of gradients reads the few
                            // shares again and again from cache instead of a tensor of the size of
                            // x.
                            return autograd::Gradients{repeat_over_positions(share, shape)};
                          });
}

}  // namespace diagrad
