#include "diagrad/ops/where.h"

#include <functional>
#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

Tensor random_condition(RandomStream& random, const Shape& shape) {
  const Tensor condition = Tensor::empty(shape, DType::u8);
  // Any value but 0 holds.
  for (int64_t i = 0; i < condition.numel(); ++i) {
    condition.data<uint8_t>()[i] =
        static_cast<uint8_t>(random.below(2) == 0 ? 0 : 1 + random.below(255));
  }
  return condition;
}

OpCase make_where(std::string variant, const Shape& condition, const Shape& a, const Shape& b,
                  const Shape& broadcast) {
  OpCase result;
  result.op = "where";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_condition(random, condition), random_input(random, a),
                               random_input(random, b)};
  };
  result.run = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{where(in[0], in[1], in[2])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(broadcast, [&](const Index& index) {
      return broadcast_value(in[broadcast_value(in[0], index) != 0.0 ? 1 : 2], index);
    })};
  };
  result.differentiable = {false, true, true};
  result.empty = broadcast.numel() == 0;
  return result;
}

/// Values from a grid of eighths, so that some are equal in every dtype.
OpCase make_comparison(std::string op, std::string variant,
                       std::function<Tensor(const Tensor&, const Tensor&)> run,
                       std::function<bool(double, double)> holds, const Shape& a, const Shape& b,
                       const Shape& broadcast) {
  OpCase result;
  result.op = std::move(op);
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> in;
    for (const Shape& shape : {a, b}) {
      in.push_back(tensor_of(
          shape, [&](const Index&) { return static_cast<double>(random.below(9) - 4) / 8.0; }));
    }
    return in;
  };
  result.run = [run = std::move(run)](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0], in[1])};
  };
  result.reference = [holds = std::move(holds), broadcast](std::span<const Tensor> in) {
    const Tensor y = tensor_of(broadcast, [&](const Index& index) {
      return holds(broadcast_value(in[0], index), broadcast_value(in[1], index)) ? 1.0 : 0.0;
    });
    return std::vector<Tensor>{y.to(DType::u8)};
  };
  result.has_gradient = false;
  result.empty = broadcast.numel() == 0;
  return result;
}

bool is_equal(double a, double b) {
  return a - b == 0.0;
}
bool is_greater(double a, double b) {
  return a - b > 0.0;
}
bool is_less(double a, double b) {
  return b - a > 0.0;
}

const OpCaseRegistration registered{
    make_where("same shape, odd sizes", {3, 5, 7}, {3, 5, 7}, {3, 5, 7}, {3, 5, 7}),
    make_where("more than one chunk", {17, 1003}, {17, 1003}, {17, 1003}, {17, 1003}),
    make_where("one condition per row", {5, 1}, {5, 7}, {5, 7}, {5, 7}),
    make_where("a row or a scalar", {5, 7}, {7}, {}, {5, 7}),
    make_where("the condition is the largest", {2, 3, 4}, {}, {4}, {2, 3, 4}),
    make_where("the values are the largest", {1}, {2, 1, 3, 1}, {1, 4, 1, 2}, {2, 4, 3, 2}),
    make_where("no values", {0, 3}, {3}, {}, {0, 3}),
    make_comparison("equal", "same shape", equal, is_equal, {7, 11}, {7, 11}, {7, 11}),
    make_comparison("equal", "a column and a row", equal, is_equal, {5, 1}, {7}, {5, 7}),
    make_comparison("equal", "no values", equal, is_equal, {0}, {1}, {0}),
    make_comparison("greater", "same shape", greater, is_greater, {7, 11}, {7, 11}, {7, 11}),
    make_comparison("greater", "against a scalar", greater, is_greater, {3, 5}, {}, {3, 5}),
    make_comparison("greater", "no values", greater, is_greater, {2, 0}, {2, 0}, {2, 0}),
    make_comparison("less", "same shape", less, is_less, {7, 11}, {7, 11}, {7, 11}),
    make_comparison("less", "a row and a matrix", less, is_less, {5}, {3, 5}, {3, 5}),
    make_comparison("less", "no values", less, is_less, {0, 2}, {2}, {0, 2}),
};

}  // namespace
}  // namespace diagrad::testing
