#include "diagrad/ops/matmul.h"

#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// The start of matrix number `index` of `batch` in a tensor whose batch axes broadcast to it.
int64_t matrix_start(const Shape& shape, const Shape& batch, int64_t index) {
  int64_t start = 0;
  int64_t stride = shape[shape.rank() - 1] * shape[shape.rank() - 2];
  for (int axis = batch.rank() - 1, own = shape.rank() - 3; own >= 0; --axis, --own) {
    const int64_t position = index % batch[axis];
    index /= batch[axis];
    if (shape[own] != 1) start += position * stride;
    stride *= shape[own];
  }
  return start;
}

std::vector<Tensor> reference(std::span<const Tensor> in, const MatmulOptions& options,
                              const Shape& batch) {
  const Shape& a = in[0].shape();
  const Shape& b = in[1].shape();
  const int64_t m = a[a.rank() - (options.transpose_a ? 1 : 2)];
  const int64_t k = a[a.rank() - (options.transpose_a ? 2 : 1)];
  const int64_t n = b[b.rank() - (options.transpose_b ? 2 : 1)];
  Shape shape = batch;
  shape.push_back(m);
  shape.push_back(n);
  const Tensor c = Tensor::empty(shape, DType::f64);
  for (int64_t index = 0; index < batch.numel(); ++index) {
    const double* left = in[0].data<double>() + matrix_start(a, batch, index);
    const double* right = in[1].data<double>() + matrix_start(b, batch, index);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (int64_t t = 0; t < k; ++t) {
          sum += left[options.transpose_a ? t * m + i : i * k + t] *
                 right[options.transpose_b ? j * k + t : t * n + j];
        }
        c.data<double>()[(index * m + i) * n + j] = sum;
      }
    }
  }
  return {c};
}

OpCase make_case(std::string variant, const Shape& a, const Shape& b, const Shape& batch,
                 const MatmulOptions& options = {}) {
  OpCase result;
  result.op = "matmul";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, a), random_input(random, b)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{matmul(in[0], in[1], options)};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, options, batch); };
  result.reduction_length = a[a.rank() - (options.transpose_a ? 2 : 1)];
  result.empty = a.numel() == 0 || b.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("odd sizes", {7, 13}, {13, 19}, {}),
    make_case("one by one", {1, 1}, {1, 1}, {}),
    make_case("outer product", {5, 1}, {1, 6}, {}),
    make_case("left transposed", {13, 7}, {13, 19}, {}, {.transpose_a = true}),
    make_case("right transposed", {7, 13}, {19, 13}, {}, {.transpose_b = true}),
    make_case("both transposed", {13, 7}, {19, 13}, {}, {.transpose_a = true, .transpose_b = true}),
    make_case("batch", {3, 9, 17}, {3, 17, 5}, {3}),
    make_case("attention scores", {2, 4, 17, 8}, {2, 4, 17, 8}, {2, 4}, {.transpose_b = true}),
    make_case("one right matrix for the batch", {2, 3, 5, 6}, {6, 7}, {2, 3}),
    make_case("one left matrix for the batch", {5, 6}, {4, 6, 7}, {4}),
    make_case("both sides broadcast", {2, 1, 5, 6}, {3, 6, 4}, {2, 3}),
    make_case("broadcast, left transposed", {2, 1, 6, 5}, {3, 6, 4}, {2, 3}, {.transpose_a = true}),
    make_case("broadcast, both transposed", {6, 5}, {3, 4, 6}, {3},
              {.transpose_a = true, .transpose_b = true}),
    make_case("more work than one thread takes", {140, 90}, {90, 150}, {}),
    make_case("long sum in parts", {24, 4100}, {4100, 20}, {}),
    make_case("inner size of zero", {3, 0}, {0, 4}, {}),
    make_case("empty batch", {0, 3, 5}, {5, 4}, {0}),
    make_case("no rows", {0, 5}, {5, 4}, {}),
};

}  // namespace
}  // namespace diagrad::testing
