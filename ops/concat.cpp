#include "diagrad/ops/concat.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/reshape.h"

namespace diagrad {
namespace {

Tensor part(const Tensor& whole, int axis, int64_t start, int64_t size) {
  Shape shape = whole.shape();
  shape[axis] = size;
  return whole.strided(shape, whole.strides(), size > 0 ? start * whole.strides()[axis] : 0);
}

}  // namespace

Tensor concat(std::span<const Tensor> tensors, int axis) {
  DG_CHECK(!tensors.empty(), "concat: no tensors given");
  const Tensor& first = tensors.front();
  const int place = normalize_axis("concat", axis, first.rank());
  std::vector<int64_t> sizes;
  Shape shape = first.shape();
  shape[place] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Shape expected = tensors[i].shape();
    if (expected.rank() == first.rank()) expected[place] = first.shape()[place];
    DG_CHECK(expected == first.shape() && tensors[i].dtype() == first.dtype(),
             "concat: tensor {} is {} {}, the first one {} {}; all but axis {} must agree", i,
             tensors[i].dtype(), tensors[i].shape(), first.dtype(), first.shape(), place);
    sizes.push_back(tensors[i].shape()[place]);
    shape[place] += sizes.back();
  }
  const Tensor y = Tensor::empty(shape, first.dtype(), first.device());
  int64_t start = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    part(y, place, start, sizes[i]).copy_(tensors[i]);
    start += sizes[i];
  }
  return autograd::record({"concat"}, tensors, y,
                          [place, sizes](const autograd::BackwardContext& context) {
                            const Tensor dy = context.gradient();
                            autograd::Gradients gradients;
                            int64_t begin = 0;
                            for (const int64_t size : sizes) {
                              gradients.push_back(part(dy, place, begin, size));
                              begin += size;
                            }
                            return gradients;
                          });
}

Tensor stack(std::span<const Tensor> tensors, int axis) {
  DG_CHECK(!tensors.empty(), "stack: no tensors given");
  for (size_t i = 0; i < tensors.size(); ++i) {
    DG_CHECK(tensors[i].shape() == tensors[0].shape() && tensors[i].dtype() == tensors[0].dtype(),
             "stack: tensor {} is {} {}, the first one {} {}; all must agree", i,
             tensors[i].dtype(), tensors[i].shape(), tensors[0].dtype(), tensors[0].shape());
  }
  normalize_axis("stack", axis, tensors[0].rank() + 1);
  std::vector<Tensor> raised;
  for (const Tensor& tensor : tensors) raised.push_back(unsqueeze(tensor, axis));
  return concat(raised, axis);
}

}  // namespace diagrad
