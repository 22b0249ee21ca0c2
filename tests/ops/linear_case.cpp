#include "diagrad/ops/linear.h"

#include <utility>

#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

std::vector<Tensor> reference(std::span<const Tensor> in) {
  const int64_t inputs = in[1].size(1);
  const int64_t outputs = in[1].size(0);
  Shape shape = in[0].shape();
  const int64_t rows = shape.numel(0, shape.rank() - 1);
  shape[shape.rank() - 1] = outputs;
  const Tensor y = Tensor::empty(shape, DType::f64);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t o = 0; o < outputs; ++o) {
      double sum = in.size() > 2 ? in[2].data<double>()[o] : 0.0;
      for (int64_t i = 0; i < inputs; ++i) {
        sum += in[0].data<double>()[row * inputs + i] * in[1].data<double>()[o * inputs + i];
      }
      y.data<double>()[row * outputs + o] = sum;
    }
  }
  return {y};
}

OpCase make_case(std::string variant, const Shape& x, int64_t outputs, bool with_bias) {
  OpCase result;
  result.op = "linear";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs{random_input(random, x), random_input(random, {outputs, x.back()})};
    if (with_bias) inputs.push_back(random_input(random, {outputs}));
    return inputs;
  };
  result.run = [](std::span<const Tensor> in) {
    return std::vector<Tensor>{linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor())};
  };
  result.reference = reference;
  result.reduction_length = x.back();
  result.empty = x.numel() == 0 || outputs == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("one row", {1, 7}, 5, true),
    make_case("a vector", {7}, 5, true),
    make_case("odd sizes without bias", {13, 19}, 23, false),
    make_case("cell: 64 to 16", {32, 64}, 16, true),
    make_case("cell: 16 to 256", {32, 16}, 256, true),
    make_case("classifier: 64 to 10", {33, 64}, 10, true),
    make_case("tokens", {2, 9, 48}, 50, true),
    make_case("one feature", {5, 1}, 3, true),
    make_case("long sum", {3, 1000}, 17, true),
    make_case("more work than one thread takes", {150, 96}, 130, true),
    make_case("no rows", {0, 4}, 3, true),
    make_case("no features", {4, 0}, 3, true),
    make_case("no outputs", {4, 3}, 0, false),
};

}  // namespace
}  // namespace diagrad::testing
