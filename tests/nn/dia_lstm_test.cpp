#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/nn/attention/attention.h"
#include "tests/support/op_case.h"

namespace diagrad::nn {
namespace {

/// The sine weights of the golden vector: element k is 0.5 sin(0.7 k + shift).
void fill_golden(Module& unit) {
  double shift = 0.1;
  for (const char* layer : {"x_down", "x_up", "h_down", "h_up"}) {
    for (const char* part : {"weight", "bias"}) {
      const Tensor values = unit.state_dict().at(std::string("cells.0.") + layer + "." + part);
      for (int64_t k = 0; k < values.numel(); ++k) {
        values.data<double>()[k] = 0.5 * std::sin(0.7 * static_cast<double>(k) + shift);
      }
      shift += 0.1;
    }
  }
}

TEST_CASE("the DIA-LSTM cell gives the golden vector over three steps") {
  constexpr int64_t kChannels = 4;
  RandomStream random(1, 1);
  const auto unit = AttentionFactory("dia-lstm:reduction=2")({.channels = kChannels}, random);
  unit->to(DType::f64);
  fill_golden(*unit);
  const double h_golden[3][4] = {{0.189667, 0.343999, 0.310759, 0.140050},
                                 {0.161685, 0.302381, 0.324157, 0.192149},
                                 {0.127288, 0.396925, 0.382732, 0.153721}};
  const double c_golden[3][4] = {{-0.244075, 0.696832, 0.524573, 0.135872},
                                 {-0.483999, 0.950681, 0.800833, 0.288699},
                                 {-0.631352, 1.290434, 0.773711, 0.140911}};
  State state;
  for (int t = 0; t < 3; ++t) {
    const Tensor x = Tensor::empty({1, 1, kChannels}, DType::f64);
    for (int j = 0; j < 4; ++j) x.data<double>()[j] = std::cos(0.9 * (4 * t + j));
    const Tensor y = unit->apply(x, state);
    for (int j = 0; j < 4; ++j) {
      CHECK(std::abs(state.tensors[0].data<double>()[j] - h_golden[t][j]) < 1e-6);
      CHECK(std::abs(state.tensors[1].data<double>()[j] - c_golden[t][j]) < 1e-6);
      CHECK(y.data<double>()[j] ==
            doctest::Approx(x.data<double>()[j] * state.tensors[0].data<double>()[j]));
    }
  }
  CHECK(state.block == 3);
}

TEST_CASE("the mean attention of the first call lies near a quarter") {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    RandomStream random(seed, stream_id("test"));
    const auto unit = AttentionFactory("dia-lstm")({.channels = 64}, random);
    const NoGrad no_grad;
    State state;
    (void)unit->apply(normal({8, 4, 4, 64}, 0.0, 1.0, random), state);
    double sum = 0.0;
    const Tensor& h = state.tensors[0];
    for (int64_t i = 0; i < h.numel(); ++i) sum += static_cast<double>(h.data<float>()[i]);
    const double mean = sum / static_cast<double>(h.numel());
    CHECK(mean >= 0.20);
    CHECK(mean <= 0.30);
  }
}

TEST_CASE("every variant has the parameters its closed form says") {
  for (const AttentionInfo& info : attention_variants()) {
    for (const int64_t channels : {16, 64, 256}) {
      const AttentionFactory factory(info.name);
      RandomStream random(1, 1);
      int64_t count = 0;
      for (const auto& parameter : factory({.channels = channels}, random)->named_parameters()) {
        count += parameter.tensor.numel();
      }
      CHECK_MESSAGE(count == factory.parameters({.channels = channels}), info.name);
    }
  }
}

TEST_CASE("wrong names and options of attention are named") {
  using testing::error_message;
  CHECK(error_message([] { AttentionFactory("dia-gru"); }).find("'dia-gru' is unknown") !=
        std::string::npos);
  CHECK(error_message([] { AttentionFactory("se:ratio=4"); }).find("ratio") != std::string::npos);
  CHECK(error_message([] {
          AttentionFactory("dia-lstm:output=sine");
        }).find("output=sine of 'dia-lstm'") != std::string::npos);
  CHECK(error_message([] { AttentionFactory("eca:kernel=4"); }).find("of 'eca' is even") !=
        std::string::npos);
  CHECK(error_message([] { AttentionFactory("se", "layer"); }).find("block, stage, network") !=
        std::string::npos);
}

}  // namespace
}  // namespace diagrad::nn
