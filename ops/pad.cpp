#include "diagrad/ops/pad.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"

namespace diagrad {

Tensor pad(const Tensor& x, const std::vector<PadSize>& sizes, double value) {
  DG_CHECK(static_cast<int>(sizes.size()) == x.rank(),
           "pad: {} sizes given for the {} axes of shape {}", sizes.size(), x.rank(), x.shape());
  Shape shape = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) {
    const PadSize& size = sizes[static_cast<size_t>(axis)];
    DG_CHECK(size.before >= 0 && size.after >= 0,
             "pad: sizes {} and {} of axis {} must not be negative; use slice to cut", size.before,
             size.after, axis);
    DG_CHECK(!__builtin_add_overflow(shape[axis], size.before, &shape[axis]) &&
                 !__builtin_add_overflow(shape[axis], size.after, &shape[axis]),
             "pad: {} before and {} after axis {} of shape {} are more than 2^63 - 1", size.before,
             size.after, axis, x.shape());
  }
  const auto inside = [sizes, inner = x.shape()](const Tensor& whole) {
    int64_t offset = 0;
    for (int axis = 0; axis < whole.rank() && inner.numel() > 0; ++axis) {
      offset += sizes[static_cast<size_t>(axis)].before * whole.strides()[axis];
    }
    return whole.strided(inner, whole.strides(), offset);
  };
  const Tensor y = Tensor::full(shape, value, x.dtype(), x.device());
  inside(y).copy_(x);
  return autograd::record({"pad"}, {x}, y, [inside](const autograd::BackwardContext& context) {
    return autograd::Gradients{inside(context.gradient())};
  });
}

}  // namespace diagrad
