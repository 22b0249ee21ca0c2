#include <doctest/doctest.h>

#include <cmath>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/channel_scale.h"
#include "diagrad/ops/dropout.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/lstm_gates.h"

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
  CHECK(state.call == 3);
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

constexpr int64_t kWidth = 6;

/// The state after two calls of a unit whose weights are the same for every setting.
State state_after(const std::string& setting, bool training) {
  RandomStream random(3, stream_id("unit"));
  const auto unit = AttentionFactory(setting)({.channels = kWidth, .calls = 2}, random);
  unit->to(DType::f64);
  unit->train(training);
  RandomStream images(4, stream_id("images"));
  const NoGrad no_grad;
  const RandomScope scope(5, 6);
  State state;
  for (int call = 0; call < 2; ++call) {
    (void)unit->apply(normal({32, 2, 2, kWidth}, 0.0, 1.0, images, DType::f64), state);
  }
  return state;
}

bool equal(const Tensor& a, const Tensor& b) {
  for (int64_t i = 0; i < a.numel(); ++i) {
    if (a.data<double>()[i] != b.data<double>()[i]) return false;
  }
  return a.shape() == b.shape();
}

bool equal(const State& a, const State& b) {
  if (a.tensors.size() != b.tensors.size()) return false;
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    if (!equal(a.tensors[i], b.tensors[i])) return false;
  }
  return true;
}

TEST_CASE("dropout acts between stacked cells alone, and in training alone") {
  CHECK(equal(state_after("dia-lstm:dropout=0.9", true), state_after("dia-lstm:dropout=0", true)));
  const State kept = state_after("dia-lstm:cells=2,dropout=0", true);
  const State dropped = state_after("dia-lstm:cells=2", true);
  CHECK(equal(state_after("dia-lstm:cells=2", false), kept));
  CHECK(equal(state_after("dia-lstm:cells=2,dropout=0", false), kept));
  // h and c of the first cell, which no mask has touched, then those of the second.
  REQUIRE(dropped.tensors.size() == 4);
  CHECK(equal(dropped.tensors[0], kept.tensors[0]));
  CHECK(equal(dropped.tensors[1], kept.tensors[1]));
  CHECK_FALSE(equal(dropped.tensors[2], kept.tensors[2]));
  CHECK_FALSE(equal(dropped.tensors[3], kept.tensors[3]));
}

TEST_CASE("a stacked cell is a plain LSTM cell on the first one's h, a tenth of it dropped") {
  RandomStream random(3, stream_id("unit"));
  const auto unit = AttentionFactory("dia-lstm:cells=2")({.channels = kWidth, .calls = 2}, random);
  unit->to(DType::f64);
  const StateDict weights = unit->state_dict();
  const auto plain = [&](const Tensor& x, const std::string& layer) {
    return linear(x, weights.at("cells.1." + layer + ".weight"),
                  weights.at("cells.1." + layer + ".bias"));
  };
  RandomStream images(4, stream_id("images"));
  const NoGrad no_grad;
  const auto draws = [] {
    const RandomScope scope(5, 6);
    return std::vector<RandomScope::Draw>{RandomScope::next(), RandomScope::next()};
  }();
  const RandomScope scope(5, 6);
  State state;
  LstmState second{Tensor::zeros({32, kWidth}, DType::f64),
                   Tensor::zeros({32, kWidth}, DType::f64)};
  for (const RandomScope::Draw& draw : draws) {
    const Tensor x = normal({32, 2, 2, kWidth}, 0.0, 1.0, images, DType::f64);
    const Tensor y = unit->apply(x, state).contiguous();
    const Tensor input =
        dropout(state.tensors[0], {.p = 0.1, .seed = draw.seed, .stream = draw.stream});
    second = lstm_gates(plain(input, "x") + plain(second.h, "h"), second.c);
    CHECK(equal(state.tensors[2], second.h));
    CHECK(equal(state.tensors[3], second.c));
    CHECK(equal(y, channel_scale(x, second.h)));
    int64_t zeros = 0;
    for (int64_t i = 0; i < input.numel(); ++i) zeros += input.data<double>()[i] == 0.0 ? 1 : 0;
    CHECK(zeros > 4);  // of 192: 19 by expectation, standard deviation 4
    CHECK(zeros < 36);
  }
}

}  // namespace
}  // namespace diagrad::nn
