#include "diagrad/ops/lstm_gates.h"

#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/engine.h"
#include "tests/support/op_case.h"

namespace diagrad {
namespace {

TEST_CASE("a cell at rest passes a quarter") {
  const LstmState state = lstm_gates(Tensor::zeros({2, 12}), Tensor::zeros({2, 3}));
  for (int64_t i = 0; i < 6; ++i) {
    CHECK(state.c.data<float>()[i] == 0.0F);
    CHECK(state.h.data<float>()[i] == 0.25F);
  }
}

TEST_CASE("the slices of u are input, forget, candidate and output") {
  const auto gates_open = [](double i, double f, double g, double o) {
    const Tensor u = Tensor::from<double>({i, f, g, o}, {1, 4});
    const Tensor c = Tensor::from<double>({3.0}, {1, 1});
    const LstmState state = lstm_gates(u, c, {.output = GateOutput::tanh});
    return std::pair{state.c.item(), state.h.item()};
  };
  CHECK(gates_open(-40, 40, 40, 40).first == doctest::Approx(3.0));
  CHECK(gates_open(40, -40, 40, 40).first == doctest::Approx(1.0));
  CHECK(gates_open(40, -40, -40, 40).first == doctest::Approx(-1.0));
  CHECK(gates_open(40, -40, 40, 40).second == doctest::Approx(std::tanh(1.0)));
  CHECK(gates_open(40, 40, 40, -40).second == doctest::Approx(0.0));
}

TEST_CASE("gradients through h alone and through c alone add up") {
  const Tensor u = Tensor::from<double>({0.3, -0.2, 0.5, 0.7, 1.1, 0.4, -0.9, 0.2}, {1, 8});
  const Tensor c = Tensor::from<double>({0.6, -0.8}, {1, 2});
  u.set_requires_grad(true);
  const auto gradient = [&](bool through_h, bool through_c) {
    const LstmState state = lstm_gates(u, c);
    std::vector<Tensor> outputs;
    if (through_h) outputs.push_back(state.h);
    if (through_c) outputs.push_back(state.c);
    const std::vector<Tensor> ones(outputs.size(), Tensor::ones({1, 2}, DType::f64));
    return autograd::grad(outputs, std::vector<Tensor>{u}, ones).front();
  };
  const Tensor h = gradient(true, false);
  const Tensor state = gradient(false, true);
  const Tensor both = gradient(true, true);
  for (int64_t i = 0; i < 8; ++i) {
    CHECK(both.data<double>()[i] ==
          doctest::Approx(h.data<double>()[i] + state.data<double>()[i]).epsilon(1e-14));
  }
}

TEST_CASE("lstm_gates says what does not fit, with the numbers") {
  CHECK(testing::error_message([] {
          lstm_gates(Tensor::zeros({2, 12}), Tensor::zeros({2, 4}));
        }) ==
        "lstm_gates: expected pre-activations [B,4C] and cell state [B,C], got [2,12] and [2,4]");
  CHECK(testing::error_message([] {
          lstm_gates(Tensor::zeros({2, 12}), Tensor::zeros({2, 3}, DType::f64));
        }) ==
        "lstm_gates: pre-activations are f32 but the cell state is f64; convert with to() so that "
        "they agree");
}

}  // namespace
}  // namespace diagrad
