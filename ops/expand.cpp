#include "diagrad/ops/expand.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/reduce_kernels.h"

namespace diagrad {

Tensor expand(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  DG_CHECK(broadcast_shapes("expand", x.shape(), shape) == shape,
           "expand: shape {} does not stretch to {}; only axes of size 1 do", x.shape(), shape);
  const int added = shape.rank() - x.rank();
  Shape strides = shape;
  std::vector<int> repeated;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool stretches = axis < added || x.shape()[axis - added] != shape[axis];
    strides[axis] = stretches ? 0 : x.strides()[axis - added];
    if (stretches) repeated.push_back(axis);
  }
  return autograd::record(
      {"expand"}, {x}, x.strided(shape, strides),
      [repeated, target = x.shape()](const autograd::BackwardContext& context) {
        const Tensor sum = sum_over(context.gradient(), repeated);
        return autograd::Gradients{sum.strided(target, contiguous_strides(target))};
      });
}

}  // namespace diagrad
