#include "diagrad/ops/concat.h"

#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase base_case(std::string variant, const std::vector<Shape>& shapes) {
  OpCase result;
  result.op = "concat";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> in;
    for (const Shape& shape : shapes) in.push_back(random_input(random, shape));
    return in;
  };
  return result;
}

OpCase make_concat(std::string variant, const std::vector<Shape>& shapes, int axis,
                   const Shape& joined) {
  OpCase result = base_case(std::move(variant), shapes);
  result.run = [=](std::span<const Tensor> in) { return std::vector<Tensor>{concat(in, axis)}; };
  const auto place = static_cast<size_t>(axis < 0 ? axis + joined.rank() : axis);
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(joined, [&](Index index) {
      size_t source = 0;
      while (index[place] >= in[source].shape()[static_cast<int>(place)]) {
        index[place] -= in[source++].shape()[static_cast<int>(place)];
      }
      return value_at(in[source], index);
    })};
  };
  result.empty = joined.numel() == 0;
  return result;
}

OpCase make_stack(std::string variant, const std::vector<Shape>& shapes, int axis,
                  const Shape& stacked) {
  OpCase result = base_case(std::move(variant), shapes);
  result.run = [=](std::span<const Tensor> in) { return std::vector<Tensor>{stack(in, axis)}; };
  const int place = axis < 0 ? axis + stacked.rank() : axis;
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(stacked, [&](Index index) {
      const auto source = static_cast<size_t>(index[static_cast<size_t>(place)]);
      index.erase(index.begin() + place);
      return value_at(in[source], index);
    })};
  };
  result.empty = stacked.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_concat("rows", {{3, 5}, {2, 5}, {4, 5}}, 0, {9, 5}),
    make_concat("columns", {{3, 5}, {3, 1}, {3, 7}}, -1, {3, 13}),
    make_concat("a middle axis", {{2, 3, 5}, {2, 4, 5}}, 1, {2, 7, 5}),
    make_concat("channels of images", {{2, 3, 5, 7}, {2, 3, 5, 2}}, 3, {2, 3, 5, 9}),
    make_concat("one tensor", {{3, 5}}, 0, {3, 5}),
    make_concat("an empty one between", {{2, 3}, {0, 3}, {1, 3}}, 0, {3, 3}),
    make_concat("vectors of one value", {{1}, {1}, {1}}, 0, {3}),
    make_concat("no values", {{0, 3}, {0, 3}}, 0, {0, 3}),
    make_stack("stack in front", {{3, 5}, {3, 5}}, 0, {2, 3, 5}),
    make_stack("stack between", {{3, 5}, {3, 5}, {3, 5}}, 1, {3, 3, 5}),
    make_stack("stack at the end", {{3, 5}, {3, 5}}, -1, {3, 5, 2}),
    make_stack("stack scalars", {{}, {}, {}}, 0, {3}),
    make_stack("stack nothing", {{0, 3}, {0, 3}}, 0, {2, 0, 3}),
};

}  // namespace
}  // namespace diagrad::testing
