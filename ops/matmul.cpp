#include "diagrad/ops/matmul.h"

#include <algorithm>

#include "diagrad/autograd/record.h"
#include "diagrad/core/error.h"
#include "diagrad/ops/matmul_kernels.h"

namespace diagrad {
namespace {

using autograd::BackwardContext;
using autograd::Gradients;
using autograd::SavedTensor;

/// The sizes before the last two.
Shape batch_of(const Tensor& tensor) {
  return Shape(std::span<const int64_t>(tensor.shape().begin(), tensor.shape().end() - 2));
}

int64_t batch_count(const Tensor& tensor) {
  return tensor.shape().numel(0, tensor.rank() - 2);
}

/// The last two axes as a matrix that kernels can read in place; a copy where they cannot.
MatrixOperand as_operand(const Tensor& tensor, bool transposed) {
  const int64_t rows = tensor.size(-2);
  const int64_t columns = tensor.size(-1);
  const int64_t row_stride = tensor.strides()[tensor.rank() - 2];
  const int64_t column_stride = tensor.strides()[tensor.rank() - 1];
  if (column_stride == 1 && row_stride >= columns) return {tensor, row_stride, transposed};
  if (row_stride == 1 && column_stride >= rows) return {tensor, column_stride, !transposed};
  return {tensor.contiguous(), columns, transposed};
}

/// Offsets of every matrix of `tensor` broadcast to `batch`, in row-major order of `batch`.
std::vector<int64_t> matrix_offsets(const Tensor& tensor, const Shape& batch) {
  const int own_axes = tensor.rank() - 2;
  const int missing = batch.rank() - own_axes;
  std::vector<int64_t> offsets(static_cast<size_t>(batch.numel()), 0);
  int64_t repeat = batch.numel();
  for (int axis = 0; axis < batch.rank() && repeat > 0; ++axis) {
    repeat /= batch[axis];
    if (axis < missing || tensor.shape()[axis - missing] == 1) continue;
    const int64_t stride = tensor.strides()[axis - missing];
    for (size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] += static_cast<int64_t>(i) / repeat % batch[axis] * stride;
    }
  }
  return offsets;
}

std::vector<GemmOffsets> batch_offsets(const MatrixProduct& product, const Shape& batch) {
  const std::vector<int64_t> a = matrix_offsets(product.a.tensor, batch);
  const std::vector<int64_t> b = matrix_offsets(product.b.tensor, batch);
  const std::vector<int64_t> c = matrix_offsets(product.c, batch);
  std::vector<GemmOffsets> offsets(a.size());
  for (size_t i = 0; i < offsets.size(); ++i) offsets[i] = {a[i], b[i], c[i]};
  // Sums over broadcast axes: their terms follow each other.
  std::stable_sort(offsets.begin(), offsets.end(),
                   [](const auto& x, const auto& y) { return x.c < y.c; });
  return offsets;
}

Tensor flat_matrix(const Tensor& tensor) {
  const int64_t columns = tensor.size(-1);
  return tensor.strided({batch_count(tensor) * tensor.size(-2), columns}, {columns, 1});
}

/// c = op(a) op(b), summed over the batch axes that c lacks or has with size 1.
void multiply(Tensor a, bool transpose_a, Tensor b, bool transpose_b, Tensor c) {
  const Shape batch = broadcast_shapes("matmul", batch_of(a), batch_of(b));
  if (batch.numel() == 0) {
    if (c.numel() > 0) c.fill_(0.0);
    return;
  }
  // Where one side of the batch is a single matrix, the whole batch is one product.
  const auto whole = [&](const Tensor& t) {
    return t.is_contiguous() && batch_count(t) == batch.numel();
  };
  const bool rows_tiled = !transpose_a && batch_count(b) == 1 && whole(a) && whole(c);
  const bool sum_tiles = transpose_a && !transpose_b && batch_count(c) == 1 && whole(a) && whole(b);
  if (rows_tiled || sum_tiles) {
    a = flat_matrix(a);
    if (rows_tiled)
      b = b.strided({b.size(-2), b.size(-1)},
                    {b.strides()[b.rank() - 2], b.strides()[b.rank() - 1]});
    if (sum_tiles) b = flat_matrix(b);
    c = flat_matrix(c);
  }
  MatrixProduct product;
  product.a = as_operand(a, transpose_a);
  product.b = as_operand(b, transpose_b);
  product.m = c.size(-2);
  product.n = c.size(-1);
  product.k = a.size(transpose_a ? -2 : -1);
  product.c = c;
  product.c_stride = product.n;
  product.batch = batch_offsets(product, broadcast_shapes("matmul", batch_of(a), batch_of(b)));
  matrix_product_kernel.on(c.device())(product);
}

void check(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  DG_CHECK(a.rank() >= 2 && b.rank() >= 2,
           "matmul: expected two tensors of at least 2 axes, got {} and {}; unsqueeze a vector",
           a.shape(), b.shape());
  DG_CHECK(a.dtype() == b.dtype(),
           "matmul: left side is {} but right side is {}; convert one "
           "with to()",
           a.dtype(), b.dtype());
  const int64_t left = a.size(options.transpose_a ? -2 : -1);
  const int64_t right = b.size(options.transpose_b ? -1 : -2);
  DG_CHECK(left == right,
           "matmul: inner sizes {} and {} differ; {}{} times {}{}; transpose one of them?", left,
           right, a.shape(), options.transpose_a ? " transposed" : "", b.shape(),
           options.transpose_b ? " transposed" : "");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  check(a, b, options);
  const bool ta = options.transpose_a;
  const bool tb = options.transpose_b;
  const int64_t m = a.size(ta ? -1 : -2);
  const int64_t n = b.size(tb ? -2 : -1);
  const int64_t k = a.size(ta ? -2 : -1);
  Shape shape = broadcast_shapes("matmul", batch_of(a), batch_of(b));
  const int64_t multiply_adds = shape.numel() * m * n * k;
  shape.push_back(m);
  shape.push_back(n);
  const Tensor c = Tensor::empty(shape, a.dtype(), a.device());
  multiply(a, ta, b, tb, c);
  return autograd::record(
      {"matmul", multiply_adds}, {a, b}, c,
      [ta, tb, a_shape = a.shape(), b_shape = b.shape(),
       a = SavedTensor(b.requires_grad() ? a : Tensor()),
       b = SavedTensor(a.requires_grad() ? b : Tensor())](const BackwardContext& context) {
        const Tensor dc = context.gradient();
        Gradients gradients(2);
        if (context.needs(0)) {
          const Tensor& right = b.get(context);
          gradients[0] = Tensor::empty(a_shape, dc.dtype(), dc.device());
          if (ta) {
            multiply(right, tb, dc, true, gradients[0]);
          } else {
            multiply(dc, false, right, !tb, gradients[0]);
          }
        }
        if (context.needs(1)) {
          const Tensor& left = a.get(context);
          gradients[1] = Tensor::empty(b_shape, dc.dtype(), dc.device());
          if (tb) {
            multiply(dc, true, left, ta, gradients[1]);
          } else {
            multiply(left, !ta, dc, false, gradients[1]);
          }
        }
        return gradients;
      });
}

}  // namespace diagrad
