#include "diagrad/ops/binary.h"

#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

double formula(char symbol, double a, double b) {
  switch (symbol) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    default:
      return a / b;
  }
}

Tensor run(char symbol, const Tensor& a, const Tensor& b) {
  switch (symbol) {
    case '+':
      return add(a, b);
    case '-':
      return sub(a, b);
    case '*':
      return mul(a, b);
    default:
      return div(a, b);
  }
}

std::string name_of(char symbol) {
  return symbol == '+' ? "add" : symbol == '-' ? "sub" : symbol == '*' ? "mul" : "div";
}

/// `result`: what both shapes broadcast to, written down rather than computed.
OpCase make_case(char symbol, std::string variant, const Shape& a, const Shape& b,
                 const Shape& broadcast) {
  OpCase result;
  result.op = name_of(symbol);
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, a), random_away_from_zero(random, b, 0.3)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(symbol, in[0], in[1])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(broadcast, [&](const Index& index) {
      return formula(symbol, broadcast_value(in[0], index), broadcast_value(in[1], index));
    })};
  };
  result.empty = broadcast.numel() == 0;
  return result;
}

OpCase same_shape(char symbol, std::string variant, const Shape& shape) {
  return make_case(symbol, std::move(variant), shape, shape, shape);
}

OpCase with_itself(char symbol) {
  OpCase result = same_shape(symbol, "a tensor with itself", {3, 5});
  result.inputs = [](RandomStream& random) {
    return std::vector<Tensor>{random_away_from_zero(random, {3, 5}, 0.3)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(symbol, in[0], in[0])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of({3, 5}, [&](const Index& index) {
      return formula(symbol, value_at(in[0], index), value_at(in[0], index));
    })};
  };
  return result;
}

const OpCaseRegistration registered{
    same_shape('+', "same shape, odd sizes", {3, 5, 7}),
    same_shape('+', "more than one chunk", {3, 11, 1003}),
    same_shape('+', "scalars", {}),
    make_case('+', "a row to a matrix", {5, 7}, {7}, {5, 7}),
    make_case('+', "a matrix to a row", {7}, {5, 7}, {5, 7}),
    make_case('+', "a scalar to images", {2, 3, 5, 7}, {}, {2, 3, 5, 7}),
    make_case('+', "a column and a row", {5, 1}, {1, 7}, {5, 7}),
    make_case('+', "alternating axes of size 1", {2, 1, 3, 1, 5}, {1, 4, 1, 2, 1}, {2, 4, 3, 2, 5}),
    make_case('+', "one channel, more than one chunk", {13, 31, 41, 3}, {3}, {13, 31, 41, 3}),
    make_case('+', "no rows against a row", {0, 7}, {7}, {0, 7}),
    make_case('+', "size 1 stretches to none", {3, 1}, {3, 0}, {3, 0}),
    with_itself('+'),
    same_shape('-', "same shape, odd sizes", {3, 5, 7}),
    make_case('-', "a row from a matrix", {5, 7}, {7}, {5, 7}),
    make_case('-', "a matrix from a row", {7}, {5, 7}, {5, 7}),
    make_case('-', "a column and a row", {5, 1}, {7}, {5, 7}),
    make_case('-', "from a scalar", {}, {4, 3}, {4, 3}),
    same_shape('-', "no values", {2, 0}),
    same_shape('*', "same shape, odd sizes", {3, 5, 7}),
    same_shape('*', "more than one chunk", {3, 11, 1003}),
    make_case('*', "channels of images", {2, 3, 5, 7}, {2, 1, 1, 7}, {2, 3, 5, 7}),
    make_case('*', "images by channels", {2, 1, 1, 7}, {2, 3, 5, 7}, {2, 3, 5, 7}),
    make_case('*', "an outer product", {5, 1}, {1, 7}, {5, 7}),
    make_case('*', "one value", {1}, {1, 1, 1}, {1, 1, 1}),
    with_itself('*'),
    same_shape('*', "no values", {0}),
    same_shape('/', "same shape, odd sizes", {3, 5, 7}),
    make_case('/', "by a row", {5, 7}, {7}, {5, 7}),
    make_case('/', "of a row", {7}, {5, 7}, {5, 7}),
    make_case('/', "by a scalar tensor", {3, 4}, {}, {3, 4}),
    make_case('/', "a column by a row", {5, 1}, {1, 7}, {5, 7}),
    same_shape('/', "no values", {0, 4}),
};

}  // namespace
}  // namespace diagrad::testing
