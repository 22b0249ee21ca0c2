#include "diagrad/ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

std::vector<Tensor> reference(const Tensor& x, int axis, bool logarithm) {
  int64_t inner = 1;
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x.shape()[i];
  const int64_t length = x.shape()[axis];
  const Tensor y = Tensor::empty_like(x);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t start = i / (length * inner) * (length * inner) + i % inner;
    double largest = x.data<double>()[start];
    for (int64_t k = 0; k < length; ++k) {
      largest = std::max(largest, x.data<double>()[start + k * inner]);
    }
    double sum = 0.0;
    for (int64_t k = 0; k < length; ++k) {
      sum += std::exp(x.data<double>()[start + k * inner] - largest);
    }
    const double shifted = x.data<double>()[i] - largest;
    y.data<double>()[i] = logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum;
  }
  return {y};
}

OpCase make_case(bool logarithm, std::string variant, const Shape& shape, int axis,
                 double range = 3.0) {
  OpCase result;
  result.op = logarithm ? "log_softmax" : "softmax";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape, -range, range)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{logarithm ? log_softmax(in[0], axis) : softmax(in[0], axis)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return reference(in[0], axis < 0 ? axis + shape.rank() : axis, logarithm);
  };
  result.reduction_length = shape[axis < 0 ? axis + shape.rank() : axis];
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case(false, "last axis", {5, 10}, -1),
    make_case(false, "long odd rows", {3, 4, 197}, 2),
    make_case(false, "a vector", {17}, 0),
    make_case(false, "first axis", {7, 5, 3}, 0),
    make_case(false, "middle axis, many columns", {2, 9, 131}, 1),
    make_case(false, "large values", {6, 11}, -1, 20.0),
    make_case(false, "more than one chunk", {129, 65}, -1),
    make_case(false, "no rows", {0, 4}, -1),
    make_case(false, "no values in a row", {4, 0}, -1),
    make_case(true, "last axis", {5, 10}, -1),
    make_case(true, "long odd rows", {3, 4, 197}, 2),
    make_case(true, "middle axis, many columns", {2, 9, 131}, 1),
    make_case(true, "large values", {6, 11}, -1, 300.0),
    make_case(true, "no rows", {0, 4}, -1),
};

}  // namespace
}  // namespace diagrad::testing
