#include "diagrad/ops/linear.h"

#include <cmath>
#include <numbers>
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

/// The reference of gelu_linear: that of linear on the activations.
std::vector<Tensor> gelu_reference(std::span<const Tensor> in, GeluForm form) {
  std::vector<Tensor> inputs(in.begin(), in.end());
  inputs[0] = in[0].clone();
  for (int64_t i = 0; i < inputs[0].numel(); ++i) {
    double& x = inputs[0].data<double>()[i];
    const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    x *= 0.5 * (1.0 + (form == GeluForm::exact ? std::erf(x / std::numbers::sqrt2) : std::tanh(u)));
  }
  return reference(inputs);
}

OpCase gelu_case(std::string variant, const Shape& x, int64_t outputs, bool with_bias,
                 GeluForm form = GeluForm::exact) {
  OpCase result = make_case(std::move(variant), x, outputs, with_bias);
  result.op = "gelu_linear";
  result.run = [=](std::span<const Tensor> in) {
    return std::vector<Tensor>{gelu_linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), form)};
  };
  result.reference = [=](std::span<const Tensor> in) { return gelu_reference(in, form); };
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
    gelu_case("a vector", {7}, 5, true),
    gelu_case("odd sizes without bias", {13, 19}, 23, false),
    gelu_case("tokens", {2, 9, 48}, 50, true),
    gelu_case("tokens, tanh form", {2, 9, 48}, 50, true, GeluForm::tanh),
    gelu_case("more work than one thread takes", {150, 128}, 130, true),
    gelu_case("no rows", {0, 4}, 3, true),
    make_case("no rows", {0, 4}, 3, true),
    make_case("no features", {4, 0}, 3, true),
    make_case("no outputs", {4, 3}, 0, false),
};

}  // namespace
}  // namespace diagrad::testing
