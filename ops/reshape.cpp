#include "diagrad/ops/reshape.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"

namespace diagrad {
namespace {

Tensor as_shape(const Tensor& contiguous, const Shape& shape) {
  return contiguous.strided(shape, contiguous_strides(shape));
}

Shape completed(const Tensor& x, const Shape& wanted) {
  Shape shape = wanted;
  int open = -1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] >= 0) continue;
    DG_CHECK(shape[axis] == -1, "reshape: shape {} has a negative size other than -1", wanted);
    DG_CHECK(open == -1, "reshape: shape {} has two sizes of -1, at most one can be worked out",
             wanted);
    open = axis;
    shape[axis] = 1;
  }
  const int64_t known = shape.numel();
  if (open != -1 && known > 0) shape[open] = x.numel() / known;
  DG_CHECK(shape.numel() == x.numel() && (open == -1 || known > 0),
           "reshape: {} elements of shape {} do not fit shape {}", x.numel(), x.shape(), wanted);
  return shape;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& wanted) {
  const Shape shape = completed(x, wanted);
  return autograd::record(
      {"reshape"}, {x}, as_shape(x.contiguous(), shape),
      [before = x.shape()](const autograd::BackwardContext& context) {
        return autograd::Gradients{as_shape(context.gradient().contiguous(), before)};
      });
}

Tensor flatten(const Tensor& x, int first_axis) {
  const int first = normalize_axis("flatten", first_axis, x.rank());
  Shape shape;
  for (int axis = 0; axis < first; ++axis) shape.push_back(x.shape()[axis]);
  shape.push_back(x.shape().numel(first, x.rank()));
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x, int axis) {
  const int place = normalize_axis("squeeze", axis, x.rank());
  DG_CHECK(x.shape()[place] == 1, "squeeze: axis {} of shape {} has size {}, only 1 can go", axis,
           x.shape(), x.shape()[place]);
  Shape shape = x.shape();
  shape.erase(place);
  return reshape(x, shape);
}

Tensor unsqueeze(const Tensor& x, int axis) {
  Shape shape = x.shape();
  shape.insert(normalize_axis("unsqueeze", axis, x.rank() + 1), 1);
  return reshape(x, shape);
}

}  // namespace diagrad
