// scaled_dot_product_attention beside matmul on the same two products, f32, in GF/s (1e9 flops of
// the products, 2 per multiply-add, per second of wall time).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <functional>
#include <string>

#include "diagrad/autograd/engine.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/core/random.h"
#include "diagrad/core/threads.h"
#include "diagrad/ops/matmul.h"
#include "diagrad/ops/scaled_dot_product.h"

namespace diagrad {
namespace {

struct Sizes {
  int64_t batch, heads, tokens, width;

  double flops() const {
    return 4.0 * static_cast<double>(batch * heads * tokens * tokens * width);
  }
  Tensor draw(int64_t columns, const char* purpose) const {
    RandomStream random(1, stream_id(purpose));
    return uniform({batch, heads, tokens, columns}, -1.0, 1.0, random).to(DType::f32);
  }
};

void measure(benchmark::State& state, int threads, double flops, const std::function<void()>& run) {
  const int before = num_threads();
  set_num_threads(threads);
  run();
  for ([[maybe_unused]] auto step : state) run();
  state.counters["GF/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  set_num_threads(before);
}

void products(benchmark::State& state, int threads, const Sizes& s) {
  const Tensor q = s.draw(s.width, "q");
  const Tensor k = s.draw(s.width, "k");
  const Tensor v = s.draw(s.width, "v");
  const Tensor weights = s.draw(s.tokens, "weights");
  const NoGrad no_grad;
  measure(state, threads, s.flops(), [&] {
    benchmark::DoNotOptimize(matmul(q, k, {.transpose_b = true}));
    benchmark::DoNotOptimize(matmul(weights, v));
  });
}

void forward(benchmark::State& state, int threads, const Sizes& s) {
  const Tensor q = s.draw(s.width, "q");
  const Tensor k = s.draw(s.width, "k");
  const Tensor v = s.draw(s.width, "v");
  const NoGrad no_grad;
  measure(state, threads, s.flops(),
          [&] { benchmark::DoNotOptimize(scaled_dot_product_attention(q, k, v)); });
}

/// Five products, one of them made again; the nominal flops are those of four.
void backward(benchmark::State& state, int threads, const Sizes& s) {
  const Tensor q = s.draw(s.width, "q").set_requires_grad(true);
  const Tensor k = s.draw(s.width, "k").set_requires_grad(true);
  const Tensor v = s.draw(s.width, "v").set_requires_grad(true);
  const Tensor dy = s.draw(s.width, "dy");
  const Tensor y = scaled_dot_product_attention(q, k, v);
  measure(state, threads, 2.0 * s.flops(), [&] {
    benchmark::DoNotOptimize(autograd::grad({y}, {q, k, v}, {dy}, {.retain_graph = true}));
  });
}

using Run = void (*)(benchmark::State&, int, const Sizes&);

void add(const char* what, Run run, int threads, const Sizes& s) {
  const std::string name =
      fmt::format("{} {}x{} T{} d{} t{}", what, s.batch, s.heads, s.tokens, s.width, threads);
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) { run(state, threads, s); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MinTime(0.2);
}

const bool registered = [] {
  for (const int threads : {1, 2}) {
    for (const Sizes& s : {Sizes{16, 12, 65, 16}, Sizes{8, 3, 197, 64}, Sizes{1, 3, 1024, 64}}) {
      add("two matmuls", products, threads, s);
      add("attention forward", forward, threads, s);
      add("attention backward", backward, threads, s);
    }
  }
  return true;
}();

}  // namespace
}  // namespace diagrad
