#include "diagrad/core/elementwise.h"

#include "diagrad/core/error.h"

namespace diagrad {

namespace detail {

RunCursor::RunCursor(const StridedLoop& loop, int64_t position)
    : loop_(loop), column_(position % loop.inner_size()) {
  position /= loop.inner_size();
  for (int axis = loop.rank - 2; axis >= 0; --axis) {
    const auto a = static_cast<size_t>(axis);
    index_[a] = position % loop.sizes[a];
    position /= loop.sizes[a];
    for (size_t t = 0; t < static_cast<size_t>(loop.operands); ++t) {
      offsets_[t] += index_[a] * loop.strides[t][a];
    }
  }
}

StridedLoop make_strided_loop(const Tensor* const* tensors, int count) {
  DG_ASSERT(count <= StridedLoop::kMaxOperands, "elementwise: {} operands", count);
  const Shape& shape = tensors[0]->shape();
  StridedLoop loop;
  loop.operands = count;
  for (int t = 1; t < count; ++t) {
    DG_ASSERT(tensors[t]->shape() == shape, "elementwise: shapes {} and {} differ", shape,
              tensors[t]->shape());
  }
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    bool merges = loop.rank > 0;
    const auto last = static_cast<size_t>(std::max(loop.rank - 1, 0));
    for (int t = 0; t < count && merges; ++t) {
      merges =
          loop.strides[static_cast<size_t>(t)][last] == tensors[t]->strides()[axis] * shape[axis];
    }
    const size_t slot = merges ? last : static_cast<size_t>(loop.rank++);
    loop.sizes[slot] = merges ? loop.sizes[slot] * shape[axis] : shape[axis];
    for (int t = 0; t < count; ++t) {
      loop.strides[static_cast<size_t>(t)][slot] = tensors[t]->strides()[axis];
    }
  }
  if (loop.rank == 0) {
    loop.rank = 1;
    loop.sizes[0] = 1;
  }
  return loop;
}

}  // namespace detail
}  // namespace diagrad
