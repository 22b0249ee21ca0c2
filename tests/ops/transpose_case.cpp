#include "diagrad/ops/transpose.h"

#include <functional>
#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// `axes` counted from the start: axis i of the result is axis axes[i] of x.
OpCase make_case(std::string variant, const Shape& shape, const std::vector<int>& axes,
                 std::function<Tensor(const Tensor&)> run) {
  OpCase result;
  result.op = "permute";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [run = std::move(run)](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    Shape permuted;
    for (const int axis : axes) permuted.push_back(shape[axis]);
    return std::vector<Tensor>{tensor_of(permuted, [&](const Index& index) {
      Index source(index.size());
      for (size_t i = 0; i < index.size(); ++i) source[static_cast<size_t>(axes[i])] = index[i];
      return value_at(in[0], source);
    })};
  };
  result.is_view = true;
  result.empty = shape.numel() == 0;
  return result;
}

OpCase permuted(std::string variant, const Shape& shape, const std::vector<int>& axes) {
  return make_case(std::move(variant), shape, axes,
                   [=](const Tensor& x) { return permute(x, axes); });
}

OpCase transposed(std::string variant, const Shape& shape, int a, int b,
                  const std::vector<int>& axes) {
  return make_case(std::move(variant), shape, axes,
                   [=](const Tensor& x) { return transpose(x, a, b); });
}

const OpCaseRegistration registered{
    permuted("channels first", {2, 3, 5, 7}, {0, 3, 1, 2}),
    permuted("channels last", {2, 3, 5, 7}, {0, 2, 3, 1}),
    permuted("reversed, five axes", {2, 1, 3, 4, 5}, {4, 3, 2, 1, 0}),
    permuted("in place", {3, 5}, {0, 1}),
    permuted("a scalar", {}, {}),
    permuted("no values", {3, 0, 2}, {2, 0, 1}),
    make_case("axes counted from the end", {3, 5, 7}, {2, 1, 0},
              [](const Tensor& x) {
                return permute(x, {-1, -2, -3});
              }),
    transposed("transpose a matrix", {5, 9}, 0, 1, {1, 0}),
    transposed("transpose the outer axes", {3, 5, 7}, 0, -1, {2, 1, 0}),
    transposed("transpose the inner axes", {2, 3, 5, 7}, -2, -1, {0, 1, 3, 2}),
    transposed("transpose an axis with itself", {3, 5}, 1, -1, {0, 1}),
    transposed("transpose no values", {0, 4}, 0, 1, {1, 0}),
};

}  // namespace
}  // namespace diagrad::testing
