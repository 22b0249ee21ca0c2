// Operations on 65536 floats whose cost is a function of the value, on one thread, beside a loop
// over the C library's function; the rate is in values. And the DIA-LSTM cell beside its parts.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <vector>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/dia_cell.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/softmax.h"
#include "diagrad/ops/unary.h"

namespace diagrad {
namespace {

Tensor values(const Shape& shape, double low, double high) {
  RandomStream random(1, stream_id("bench"));
  return uniform(shape, low, high, random);
}

void add(const std::string& name, int64_t count, const std::function<void()>& run) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    set_num_threads(1);
    for (auto step : state) {
      (void)step;
      run();
    }
    state.SetItemsProcessed(state.iterations() * count);
  })->Unit(benchmark::kMicrosecond);
}

void add_function(const char* name, Tensor (*op)(const Tensor&), float (*library)(float)) {
  constexpr int64_t kCount = 65536;
  const Tensor x = values({kCount}, 0.1, 3.0);
  const Tensor y = Tensor::empty_like(x);
  add(name, kCount, [=] {
    const NoGrad no_grad;
    benchmark::DoNotOptimize(op(x).raw_data());
  });
  add(fmt::format("{}, C library", name), kCount, [=] {
    const float* const from = x.data<float>();
    float* const to = y.data<float>();
    for (int64_t i = 0; i < kCount; ++i) to[i] = library(from[i]);
    benchmark::ClobberMemory();
  });
}

void add_softmax(int64_t rows, int64_t columns) {
  const Tensor x = values({rows, columns}, -3.0, 3.0);
  add(fmt::format("softmax [{},{}]", rows, columns), x.numel(), [=] {
    const NoGrad no_grad;
    benchmark::DoNotOptimize(softmax(x, -1).raw_data());
  });
}

struct Cell {
  Cell(int64_t batch, int64_t channels)
      : y(leaf({batch, channels})), state{leaf({batch, channels}), leaf({batch, channels})} {
    for (DiaBottleneck* side : {&x, &h}) {
      *side = {leaf({channels / 4, channels}), leaf({channels / 4}),
               leaf({4 * channels, channels / 4}), leaf({4 * channels})};
    }
  }
  static Tensor leaf(const Shape& shape) {
    return values(shape, -0.3, 0.3).set_requires_grad(true);
  }
  static Tensor side(const Tensor& input, const DiaBottleneck& b) {
    return linear(relu(linear(input, b.down, b.down_bias)), b.up, b.up_bias);
  }
  LstmState fused() const { return dia_cell(y, state, x, h); }
  LstmState composed() const {
    return lstm_gates(diagrad::add(side(y, x), side(state.h, h)), state.c);
  }

  Tensor y;
  LstmState state;
  DiaBottleneck x, h;
};

void add_cell(int64_t batch, int64_t channels) {
  const Cell cell(batch, channels);
  const Tensor gradient = Tensor::ones({batch, channels});
  const auto step = [=](LstmState (Cell::*form)() const) {
    return [=] { backward((cell.*form)().h, gradient); };
  };
  const std::string shape = fmt::format("[{},{}], forward and backward", batch, channels);
  add("dia_cell " + shape, batch, step(&Cell::fused));
  add("composed cell " + shape, batch, step(&Cell::composed));
}

const bool registered = [] {
  add_function("exp", exp, std::exp);
  add_function("log", log, std::log);
  add_function("sigmoid", sigmoid, [](float x) { return 1.0F / (1.0F + std::exp(-x)); });
  add_function("tanh", tanh, std::tanh);
  add_function("gelu", gelu, [](float x) { return 0.5F * x * (1.0F + std::erf(x * 0.70710678F)); });
  add_function("silu", silu, [](float x) { return x / (1.0F + std::exp(-x)); });
  add_function("softplus", softplus, [](float x) { return std::log1p(std::exp(x)); });
  add_softmax(4096, 10);
  add_softmax(512, 128);
  add_cell(128, 16);
  add_cell(128, 64);
  add_cell(64, 256);
  return true;
}();

}  // namespace
}  // namespace diagrad
