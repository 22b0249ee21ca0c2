#include "diagrad/ops/expand.h"

#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase make_case(std::string variant, const Shape& shape, const Shape& expanded) {
  OpCase result;
  result.op = "expand";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{expand(in[0], expanded)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{
        tensor_of(expanded, [&](const Index& index) { return broadcast_value(in[0], index); })};
  };
  // Behind one derivative stands a sum over the repetitions.
  if (shape.numel() > 0) result.reduction_length = expanded.numel() / shape.numel();
  result.is_view = true;
  result.empty = expanded.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("a row to a matrix", {7}, {5, 7}),
    make_case("a column to a matrix", {5, 1}, {5, 7}),
    make_case("a scalar to images", {}, {2, 3, 5, 7}),
    make_case("alternating axes", {2, 1, 3, 1}, {2, 5, 3, 7}),
    make_case("new axes in front of old ones", {3, 1}, {2, 4, 3, 5}),
    make_case("an axis of size 1 that stays", {1, 5}, {3, 1, 5}),
    make_case("one channel over many pixels", {3}, {13, 31, 41, 3}),
    make_case("no rows", {1, 3}, {0, 3}),
    make_case("no values to more", {1, 0}, {4, 0}),
};

}  // namespace
}  // namespace diagrad::testing
