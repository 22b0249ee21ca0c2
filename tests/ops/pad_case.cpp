#include "diagrad/ops/pad.h"

#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase make_case(std::string variant, const Shape& shape, const std::vector<PadSize>& sizes,
                 const Shape& padded, double value = 0.0) {
  OpCase result;
  result.op = "pad";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{pad(in[0], sizes, value)};
  };
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(padded, [&](Index index) {
      for (size_t axis = 0; axis < index.size(); ++axis) {
        index[axis] -= sizes[axis].before;
        if (index[axis] < 0 || index[axis] >= shape[static_cast<int>(axis)]) return value;
      }
      return value_at(in[0], index);
    })};
  };
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("images", {2, 5, 7, 3}, {{}, {1, 1}, {2, 2}, {}}, {2, 7, 11, 3}),
    make_case("one side", {3, 5}, {{0, 2}, {1, 0}}, {5, 6}),
    make_case("with a value", {3, 5}, {{1, 2}, {3, 1}}, {6, 9}, -1.5),
    make_case("nothing", {3, 5}, {{}, {}}, {3, 5}),
    make_case("five axes", {1, 2, 3, 1, 2}, {{1, 0}, {}, {0, 1}, {2, 2}, {}}, {2, 2, 4, 5, 2}),
    make_case("a vector of one value", {1}, {{3, 4}}, {8}),
    make_case("a scalar", {}, {}, {}),
    make_case("no values", {0, 3}, {{2, 1}, {}}, {3, 3}, 0.5),
};

}  // namespace
}  // namespace diagrad::testing
