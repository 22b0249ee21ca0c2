#include "diagrad/ops/slice.h"

#include <algorithm>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"

namespace diagrad {

Tensor slice(const Tensor& x, int axis, int64_t start, int64_t stop, int64_t step) {
  const int place = normalize_axis("slice", axis, x.rank());
  DG_CHECK(step >= 1, "slice: step {} is below 1, shape {}", step, x.shape());
  const int64_t size = x.shape()[place];
  const auto bounded = [size](int64_t bound) {
    return std::clamp<int64_t>(bound < 0 ? bound + size : bound, 0, size);
  };
  const int64_t first = bounded(start);
  const int64_t last = bounded(stop);
  // Not (last - first + step - 1) / step: a step may be as large as int64_t holds.
  const int64_t count = last > first ? (last - first - 1) / step + 1 : 0;
  const auto view = [=](const Tensor& whole) {
    Shape shape = whole.shape();
    Shape strides = whole.strides();
    const int64_t offset = count > 0 ? first * strides[place] : 0;
    shape[place] = count;
    if (count > 1) strides[place] *= step;
    return whole.strided(shape, strides, offset);
  };
  return autograd::record({"slice"}, {x}, view(x),
                          [view, shape = x.shape()](const autograd::BackwardContext& context) {
                            const Tensor dy = context.gradient();
                            const Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
                            view(dx).copy_(dy);
                            return autograd::Gradients{dx};
                          });
}

std::vector<Tensor> chunk(const Tensor& x, int64_t count, int axis) {
  const int64_t size = x.shape()[normalize_axis("chunk", axis, x.rank())];
  DG_CHECK(count >= 1 && size % count == 0,
           "chunk: axis {} of shape {} has size {}, not a multiple of {}", axis, x.shape(), size,
           count);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < count; ++i) {
    parts.push_back(slice(x, axis, i * (size / count), (i + 1) * (size / count)));
  }
  return parts;
}

}  // namespace diagrad
