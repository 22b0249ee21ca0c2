#include "diagrad/ops/embedding.h"

#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

OpCase make_embedding_case(std::string variant, int64_t rows, int64_t width, const Shape& indices) {
  OpCase result;
  result.op = "embedding";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, {rows, width}),
                               random_labels(random, indices, rows)};
  };
  result.run = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{embedding(in[0], in[1])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    Shape shape = indices;
    shape.push_back(width);
    const Tensor y = Tensor::empty(shape, DType::f64);
    for (int64_t i = 0; i < in[1].numel(); ++i) {
      for (int64_t d = 0; d < width; ++d) {
        const int64_t row = in[1].data<int64_t>()[i];
        y.data<double>()[i * width + d] = in[0].data<double>()[row * width + d];
      }
    }
    return std::vector<Tensor>{y};
  };
  result.empty = indices.numel() * width == 0;
  return result;
}

OpCase make_gather_case(std::string variant, const Shape& x, int axis, const Shape& index) {
  OpCase result;
  result.op = "gather";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, x),
                               random_labels(random, index, x[axis < 0 ? axis + x.rank() : axis])};
  };
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{gather(in[0], axis, in[1])};
  };
  result.reference = [=](std::span<const Tensor> in) {
    const Tensor y = Tensor::empty(index, DType::f64);
    for (int64_t i = 0; i < y.numel(); ++i) {
      int64_t rest = i;
      int64_t offset = 0;
      int64_t stride = 1;
      for (int a = x.rank() - 1; a >= 0; --a) {
        const bool picked = a == (axis < 0 ? axis + x.rank() : axis);
        offset += (picked ? in[1].data<int64_t>()[i] : rest % index[a]) * stride;
        rest /= index[a];
        stride *= x[a];
      }
      y.data<double>()[i] = in[0].data<double>()[offset];
    }
    return std::vector<Tensor>{y};
  };
  result.empty = index.numel() == 0;
  return result;
}

const OpCaseRegistration registered{
    make_embedding_case("tokens", 11, 5, {3, 4}),
    make_embedding_case("rows used many times", 3, 17, {40}),
    make_embedding_case("more than one chunk", 301, 67, {7, 45}),
    make_embedding_case("one index of no shape", 5, 3, {}),
    make_embedding_case("no indices", 5, 3, {0}),
    make_gather_case("last axis", {4, 7}, -1, {4, 3}),
    make_gather_case("first axis, places read twice", {3, 5}, 0, {6, 5}),
    make_gather_case("middle axis, shorter index", {3, 5, 4}, 1, {2, 9, 3}),
    make_gather_case("more than one chunk", {61, 17, 19}, 1, {61, 23, 19}),
    make_gather_case("no values", {3, 4}, 1, {3, 0}),
};

}  // namespace
}  // namespace diagrad::testing
