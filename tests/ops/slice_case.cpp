#include "diagrad/ops/slice.h"

#include <cstdint>
#include <functional>
#include <utility>

#include "tests/support/naive.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

/// `places`: the elements of the axis that the result holds, written down.
OpCase make_case(std::string variant, const Shape& shape, size_t axis,
                 const std::vector<int64_t>& places, std::function<Tensor(const Tensor&)> run) {
  OpCase result;
  result.op = "slice";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [run = std::move(run)](std::span<const Tensor> in) {
    return std::vector<Tensor>{run(in[0])};
  };
  Shape sliced = shape;
  sliced[static_cast<int>(axis)] = static_cast<int64_t>(places.size());
  result.reference = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{tensor_of(sliced, [&](Index index) {
      index[axis] = places[static_cast<size_t>(index[axis])];
      return value_at(in[0], index);
    })};
  };
  result.is_view = true;
  result.empty = sliced.numel() == 0;
  return result;
}

OpCase make_chunk(std::string variant, const Shape& shape, int64_t count, int axis) {
  OpCase result;
  result.op = "slice";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, shape)};
  };
  result.run = [=](std::span<const Tensor> in) { return chunk(in[0], count, axis); };
  result.reference = [=](std::span<const Tensor> in) {
    const auto place = static_cast<size_t>(axis < 0 ? axis + shape.rank() : axis);
    Shape part = shape;
    part[static_cast<int>(place)] /= count;
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < count; ++i) {
      parts.push_back(tensor_of(part, [&](Index index) {
        index[place] += i * part[static_cast<int>(place)];
        return value_at(in[0], index);
      }));
    }
    return parts;
  };
  result.is_view = true;
  result.empty = shape.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("rows", {7, 5}, 0, {2, 3, 4}, [](const Tensor& x) { return slice(x, 0, 2, 5); }),
    make_case("columns", {7, 5}, 1, {1, 2}, [](const Tensor& x) { return slice(x, -1, 1, 3); }),
    make_case("every second element", {3, 9, 5}, 1, {1, 3, 5, 7},
              [](const Tensor& x) { return slice(x, 1, 1, 9, 2); }),
    make_case("a step that ends inside", {2, 8}, 1, {0, 3, 6},
              [](const Tensor& x) { return slice(x, 1, 0, 8, 3); }),
    make_case("a step longer than the axis", {2, 8}, 1, {1},
              [](const Tensor& x) { return slice(x, 1, 1, 8, INT64_MAX); }),
    make_case("bounds counted from the end", {11}, 0, {7, 8, 9},
              [](const Tensor& x) { return slice(x, 0, -4, -1); }),
    make_case("bounds cut to the axis", {4, 3}, 0, {0, 1, 2, 3},
              [](const Tensor& x) { return slice(x, 0, -100, 100); }),
    make_case("five axes", {2, 1, 5, 3, 2}, 2, {1, 3},
              [](const Tensor& x) { return slice(x, 2, 1, 5, 2); }),
    make_case("one element", {3, 1}, 1, {0}, [](const Tensor& x) { return slice(x, 1, 0, 1); }),
    make_case("nothing: start behind stop", {5, 3}, 0, {},
              [](const Tensor& x) { return slice(x, 0, 4, 2); }),
    make_case("nothing: start behind the end", {5, 3}, 0, {},
              [](const Tensor& x) { return slice(x, 0, 9, 12, 2); }),
    make_case("of nothing", {3, 0}, 0, {1, 2}, [](const Tensor& x) { return slice(x, 0, 1, 3); }),
    make_chunk("chunk columns", {3, 8}, 4, -1),
    make_chunk("chunk rows", {6, 5, 3}, 3, 0),
    make_chunk("chunk in one", {3, 5}, 1, 1),
    make_chunk("chunk nothing", {3, 0}, 2, 1),
};

}  // namespace
}  // namespace diagrad::testing
