#include "diagrad/ops/upsample.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/upsample_kernels.h"

namespace diagrad {

Tensor upsample_nearest(const Tensor& x, int64_t factor) {
  DG_CHECK(x.rank() == 4, "upsample_nearest: expected images [B,H,W,C], got {}", x.shape());
  DG_CHECK(factor >= 1, "upsample_nearest: factor {} must be at least 1", factor);
  int64_t height = 0;
  int64_t width = 0;
  DG_CHECK(!__builtin_mul_overflow(factor, x.size(1), &height) &&
               !__builtin_mul_overflow(factor, x.size(2), &width),
           "upsample_nearest: {} times the height and width of images {} is more than 2^63 - 1",
           factor, x.shape());
  const Tensor y = Tensor::empty({x.size(0), height, width, x.size(3)}, x.dtype(), x.device());
  upsample_nearest_kernel.on(x.device())(x.contiguous(), factor, y);
  return autograd::record({"upsample_nearest"}, {x}, y,
                          [factor, shape = x.shape()](const autograd::BackwardContext& context) {
                            const Tensor dy = context.gradient().contiguous();
                            const Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
                            upsample_nearest_backward_kernel.on(dy.device())(dy, factor, dx);
                            return autograd::Gradients{dx};
                          });
}
}  // namespace diagrad
