#include "diagrad/ops/embedding.h"

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/embedding_kernels.h"
#include "diagrad/ops/index_range_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

/// A contiguous copy or view of the indices, all inside [0, size).
Tensor checked_indices(const char* op, const Tensor& indices, int64_t size) {
  DG_CHECK(indices.dtype() == DType::i64, "{}: indices must be i64, got {} {}", op, indices.dtype(),
           indices.shape());
  Tensor dense = indices.contiguous();
  const IndexOutOfRange bad = index_range_kernel.on(dense.device())(dense, size);
  DG_CHECK(!bad.found(), "{}: index {} at position {} (row-major) is outside [0, {})", op,
           bad.value, bad.position, size);
  return dense;
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& indices) {
  DG_CHECK(weight.rank() == 2, "embedding: expected weight [V,D], got {}", weight.shape());
  const Tensor rows = checked_indices("embedding", indices, weight.size(0));
  Shape shape = rows.shape();
  shape.push_back(weight.size(1));
  const Tensor y = Tensor::empty(shape, weight.dtype(), weight.device());
  embedding_kernel.on(weight.device())(weight.contiguous(), rows, y);
  return autograd::record(
      {"embedding"}, {weight}, y,
      [table = weight.shape(), rows = SavedTensor(rows)](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const Tensor dweight = Tensor::empty(table, dy.dtype(), dy.device());
        embedding_backward_kernel.on(dy.device())(dy, rows.get(context), dweight);
        return Gradients{dweight};
      });
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  const int at = normalize_axis("gather", axis, x.rank());
  bool fits = index.rank() == x.rank();
  for (int i = 0; fits && i < x.rank(); ++i) fits = i == at || index.shape()[i] <= x.shape()[i];
  DG_CHECK(
      fits,
      "gather: index {} does not fit input {} along axis {}; ranks must be equal and the other "
      "axes of the index at most as long",
      index.shape(), x.shape(), at);
  const Tensor indices = checked_indices("gather", index, x.shape()[at]);
  const Tensor y = Tensor::empty(indices.shape(), x.dtype(), x.device());
  gather_kernel.on(x.device())(x.contiguous(), at, indices, y);
  return autograd::record(
      {"gather"}, {x}, y,
      [at, shape = x.shape(), indices = SavedTensor(indices)](const BackwardContext& context) {
        const Tensor dy = context.gradient().contiguous();
        const Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
        gather_backward_kernel.on(dy.device())(dy, at, indices.get(context), dx);
        return Gradients{dx};
      });
}

}  // namespace diagrad
