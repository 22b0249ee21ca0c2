#include "diagrad/ops/reshape.h"

#include <functional>
#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// All forms of reshape keep the elements in row-major order.
OpCase make_case(std::string variant, const Shape& shape, const Shape& reshaped,
                 std::function<Tensor(const Tensor&)> run) {
  OpCase result;
  result.op = "reshape";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [run = std::move(run)](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    int64_t next = 0;
    return std::vector<Tensor>{tensor_of(
        reshaped, [&](const Index&) { return value_at(in[0], index_at(shape, next++)); })};
  };
  result.is_view = true;
  result.empty = shape.numel() == 0;
  return result;
}

OpCase to_shape(std::string variant, const Shape& shape, const Shape& wanted,
                const Shape& reshaped) {
  return make_case(std::move(variant), shape, reshaped,
                   [=](const Tensor& x) { return reshape(x, wanted); });
}

OpCase flattened(std::string variant, const Shape& shape, int first, const Shape& reshaped) {
  return make_case(std::move(variant), shape, reshaped,
                   [=](const Tensor& x) { return flatten(x, first); });
}

OpCase squeezed(std::string variant, const Shape& shape, int axis, const Shape& reshaped) {
  return make_case(std::move(variant), shape, reshaped,
                   [=](const Tensor& x) { return squeeze(x, axis); });
}

OpCase unsqueezed(std::string variant, const Shape& shape, int axis, const Shape& reshaped) {
  return make_case(std::move(variant), shape, reshaped,
                   [=](const Tensor& x) { return unsqueeze(x, axis); });
}

const OpCaseRegistration registered{
    to_shape("to fewer axes", {3, 5, 7}, {15, 7}, {15, 7}),
    to_shape("to more axes", {30, 7}, {2, 3, 5, 7}, {2, 3, 5, 7}),
    to_shape("other borders", {6, 10}, {4, 15}, {4, 15}),
    to_shape("one size worked out", {3, 5, 4}, {2, -1, 6}, {2, 5, 6}),
    to_shape("to a scalar", {1, 1, 1}, {}, {}),
    to_shape("of a scalar", {}, {1, 1}, {1, 1}),
    to_shape("no values", {0, 4}, {2, 0, 7}, {2, 0, 7}),
    to_shape("no values, one size worked out", {0, 4}, {-1, 2}, {0, 2}),
    flattened("flatten images", {2, 3, 5, 7}, 1, {2, 105}),
    flattened("flatten everything", {2, 3, 5}, 0, {30}),
    flattened("flatten from the end", {2, 3, 5, 7}, -2, {2, 3, 35}),
    flattened("flatten nothing", {2, 0, 7}, 1, {2, 0}),
    squeezed("squeeze the first axis", {1, 5, 7}, 0, {5, 7}),
    squeezed("squeeze the last axis", {5, 7, 1}, -1, {5, 7}),
    squeezed("squeeze to a scalar", {1}, 0, {}),
    unsqueezed("unsqueeze in front", {5, 7}, 0, {1, 5, 7}),
    unsqueezed("unsqueeze between", {5, 7}, 1, {5, 1, 7}),
    unsqueezed("unsqueeze at the end", {5, 7}, -1, {5, 7, 1}),
    unsqueezed("unsqueeze a scalar", {}, 0, {1}),
};

}  // namespace
}  // namespace diagrad::testing
