#include "diagrad/autograd/record.h"
#include "diagrad/core/dtype.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/kernels/image_parts.h"
#include "diagrad/ops/pool.h"
#include "diagrad/ops/pool_kernels.h"

namespace diagrad {

Tensor global_avg_pool(const Tensor& x) {
  DG_CHECK(x.rank() >= 2, "global_avg_pool: expected input [B,...,C] of rank 2 or more, got {}",
           x.shape());
  DG_CHECK(x.shape().numel(1, x.rank() - 1) > 0,
           "global_avg_pool: input {} has no positions to average over", x.shape());
  const Tensor y = Tensor::empty({x.size(0), x.size(-1)}, x.dtype(), x.device());
  global_avg_pool_kernel.on(x.device())(x.contiguous(), y);
  return autograd::record({"global_avg_pool"}, {x}, y,
                          [shape = x.shape()](const autograd::BackwardContext& context) {
                            const Tensor dy = context.gradient().contiguous();
                            const Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
                            global_avg_pool_backward_kernel.on(dy.device())(dy, dx);
                            return autograd::Gradients{dx};
                          });
}

namespace {

using kernels::ImageParts;
using kernels::RowFold;

void forward_cpu(const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "global_avg_pool", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const ImageParts images(x);
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

void backward_cpu(const Tensor& dy, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "global_avg_pool backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const ImageParts images(dx);
    const RowFold fold(images.columns);
    images.for_each([&](int64_t image, int64_t /*index*/, int64_t first, int64_t rows) {
      const T* const gradient = dy.data<T>() + image * fold.columns;
      const auto positions = static_cast<T>(images.rows);
      const kernels::LineOf<T> line(fold, [=](int64_t c) { return gradient[c] / positions; });
      T* const data = dx.data<T>() + first * fold.columns;
      kernels::for_each_line(fold, rows, [&](int64_t offset, int64_t width) {
        std::copy(line.data(), line.data() + width, data + offset);
      });
    });
  });
}

[[maybe_unused]] const bool registered =
    global_avg_pool_kernel.set(DeviceType::cpu, forward_cpu) &&
    global_avg_pool_backward_kernel.set(DeviceType::cpu, backward_cpu);

}  // namespace
}  // namespace diagrad
