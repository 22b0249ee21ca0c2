#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/ops/lstm_gates.h"
#include "tests/support/op_case.h"

namespace diagrad::testing {
namespace {

double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

std::vector<Tensor> reference(std::span<const Tensor> in, GateOutput output) {
  const int64_t batch = in[1].size(0);
  const int64_t channels = in[1].size(1);
  const Tensor h = Tensor::empty_like(in[1]);
  const Tensor c = Tensor::empty_like(in[1]);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t j = 0; j < channels; ++j) {
      const double* u = in[0].data<double>() + b * 4 * channels + j;
      const double state = logistic(u[channels]) * in[1].data<double>()[b * channels + j] +
                           logistic(u[0]) * std::tanh(u[2 * channels]);
      double out = logistic(state);
      if (output == GateOutput::tanh) out = std::tanh(state);
      if (output == GateOutput::relu) out = std::max(state, 0.0);
      c.data<double>()[b * channels + j] = state;
      h.data<double>()[b * channels + j] = logistic(u[3 * channels]) * out;
    }
  }
  return {h, c};
}

OpCase make_case(std::string variant, int64_t batch, int64_t channels, GateOutput output,
                 double range = 2.0) {
  OpCase result;
  result.op = "lstm_gates";
  result.variant = std::move(variant);
  result.inputs = [=](RandomStream& random) {
    return std::vector<Tensor>{random_input(random, {batch, 4 * channels}, -range, range),
                               random_input(random, {batch, channels}, -range, range)};
  };
  result.run = [=](std::span<const Tensor> in) {
    const LstmState state = lstm_gates(in[0], in[1], {.output = output});
    return std::vector<Tensor>{state.h, state.c};
  };
  result.reference = [=](std::span<const Tensor> in) { return reference(in, output); };
  result.empty = batch * channels == 0;
  return result;
}

const OpCaseRegistration registered{
    make_case("sigmoid output", 3, 16, GateOutput::sigmoid),
    make_case("sigmoid output, odd sizes", 5, 7, GateOutput::sigmoid),
    make_case("sigmoid output, one value", 1, 1, GateOutput::sigmoid),
    make_case("sigmoid output, saturated gates", 3, 21, GateOutput::sigmoid, 12.0),
    make_case("sigmoid output, more work than one thread takes", 33, 257, GateOutput::sigmoid),
    make_case("tanh output", 5, 19, GateOutput::tanh),
    make_case("tanh output, saturated gates", 3, 21, GateOutput::tanh, 12.0),
    make_case("relu output", 4, 17, GateOutput::relu),
    make_case("no rows", 0, 4, GateOutput::sigmoid),
    make_case("no channels", 3, 0, GateOutput::tanh),
};

}  // namespace
}  // namespace diagrad::testing
