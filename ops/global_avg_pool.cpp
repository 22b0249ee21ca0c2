#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
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
                            // shares from cache instead of a tensor of the size of x.
                            return autograd::Gradients{repeat_over_positions(share, shape)};
                          });
}

}  // namespace diagrad
