#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/ops/dia_cell.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// Adds up relu(down input + bias) + bias to the 4C pre-activations of one row.
void add_side(const Tensor* weights, const double* input, int64_t channels,
              std::vector<double>& u) {
  const int64_t hidden = weights[0].size(0);
  const double* const up = weights[2].data<double>();
  for (int64_t k = 0; k < 4 * channels; ++k)
    u[static_cast<size_t>(k)] += weights[3].data<double>()[k];
  for (int64_t m = 0; m < hidden; ++m) {
    double value = weights[1].data<double>()[m];
    for (int64_t j = 0; j < channels; ++j)
      value += weights[0].data<double>()[m * channels + j] * input[j];
    if (value < 0.0) continue;
    for (int64_t k = 0; k < 4 * channels; ++k)
      u[static_cast<size_t>(k)] += up[k * hidden + m] * value;
  }
}

/// Inputs: y, h, c, and four tensors of each side.
std::vector<Tensor> reference(std::span<const Tensor> in, GateOutput output) {
  const int64_t channels = in[0].size(1);
  const Tensor h = Tensor::empty_like(in[0]);
  const Tensor c = Tensor::empty_like(in[0]);
  for (int64_t b = 0; b < in[0].size(0); ++b) {
    std::vector<double> u(static_cast<size_t>(4 * channels), 0.0);
    add_side(&in[3], in[0].data<double>() + b * channels, channels, u);
    add_side(&in[7], in[1].data<double>() + b * channels, channels, u);
    for (int64_t j = 0; j < channels; ++j) {
      const auto at = [&](int64_t slice) { return u[static_cast<size_t>(slice * channels + j)]; };
      const double state = logistic(at(1)) * in[2].data<double>()[b * channels + j] +
                           logistic(at(0)) * std::tanh(at(2));
      double out = logistic(state);
      if (output == GateOutput::tanh) out = std::tanh(state);
      if (output == GateOutput::relu) out = std::max(state, 0.0);
      c.data<double>()[b * channels + j] = state;
      h.data<double>()[b * channels + j] = logistic(at(3)) * out;
    }
  }
  return {h, c};
}

OpCase make_case(std::string variant, int64_t batch, int64_t channels, int64_t hidden,
                 GateOutput output) {
  OpCase result;
  result.op = "dia_cell";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    std::vector<Tensor> inputs;
    for (int i = 0; i < 3; ++i) inputs.push_back(random_input(random, {batch, channels}));
    for (int side = 0; side < 2; ++side) {
      for (const Shape& shape : {Shape({hidden, channels}), Shape({hidden}),
                                 Shape({4 * channels, hidden}), Shape({4 * channels})}) {
        inputs.push_back(random_input(random, shape, -0.7, 0.7));
      }
    }
    return inputs;
  };
  result.run = [=](std::span<const Tensor> in) {
    const LstmState state = dia_cell(in[0], {in[1], in[2]}, {in[3], in[4], in[5], in[6]},
                                     {in[7], in[8], in[9], in[10]}, {.output = output});
    return std::vector<Tensor>{state.h, state.c};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, output); };
  result.reduction_length = channels + 2 * hidden;
  result.empty = batch * channels * hidden == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("sigmoid output", 4, 16, 4, GateOutput::sigmoid),
    make_case("odd sizes", 5, 7, 3, GateOutput::sigmoid),
    make_case("one value", 1, 1, 1, GateOutput::sigmoid),
    make_case("more work than one thread takes", 70, 129, 33, GateOutput::sigmoid),
    make_case("tanh output", 3, 19, 5, GateOutput::tanh),
    make_case("relu output", 4, 17, 6, GateOutput::relu),
    make_case("no rows", 0, 4, 2, GateOutput::sigmoid),
};

}  // namespace
}  // namespace diagrad::testing
