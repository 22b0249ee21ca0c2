// Matrix products and convolutions in GF/s (1e9 useful flops, 2 per multiply-add, per second of
// wall time), beside the peak of this machine's multiply-add units.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <Eigen/Core>

#include <string>
#include <vector>

#include "diagrad/core/math_mode.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/peak.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/cpu/conv/convolution.h"
#include "diagrad/ops/cpu/gemm/gemm.h"

namespace diagrad {
namespace {

std::vector<float> values(int64_t count) {
  RandomStream random(1, stream_id("bench"));
  std::vector<float> result(static_cast<size_t>(count));
  for (float& value : result) value = static_cast<float>(random.uniform(-1.0, 1.0));
  return result;
}

/// Flops are per iteration of `run`.
template <typename Run>
void measure(benchmark::State& state, int threads, double flops, const Run& run) {
  const int before = num_threads();
  set_num_threads(threads);
  run();
  for (auto _ : state) run();
  state.counters["GF/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  set_num_threads(before);
}

void peak(benchmark::State& state, int threads) {
  constexpr int64_t kRounds = 1 << 16;
  const double flops = run_multiply_adds<float>(threads, kRounds);
  measure(state, threads, flops, [&] { run_multiply_adds<float>(threads, kRounds); });
}

void gemm(benchmark::State& state, int threads, int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  const std::vector<float> a = values(m * k);
  const std::vector<float> b = values(k * n);
  std::vector<float> c(static_cast<size_t>(m * n));
  kernels::Gemm<float> product;
  product.m = m;
  product.n = n;
  product.k = k;
  product.a = a.data();
  product.a_stride = ta ? m : k;
  product.transpose_a = ta;
  product.b = b.data();
  product.b_stride = tb ? k : n;
  product.transpose_b = tb;
  product.c = c.data();
  product.c_stride = n;
  measure(state, threads, 2.0 * static_cast<double>(m * n * k), [&] { kernels::gemm(product); });
}

/// The same product by Eigen, on one thread.
void eigen(benchmark::State& state, int64_t m, int64_t n, int64_t k) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const std::vector<float> a = values(m * k);
  const std::vector<float> b = values(k * n);
  Matrix c(m, n);
  measure(state, 1, 2.0 * static_cast<double>(m * n * k), [&] {
    c.noalias() =
        Eigen::Map<const Matrix>(a.data(), m, k) * Eigen::Map<const Matrix>(b.data(), k, n);
    benchmark::DoNotOptimize(c.data());
  });
}

enum class Direction { forward, input_gradient, weight_gradient };

void convolution(benchmark::State& state, int threads, const ConvGeometry& g, Direction direction,
                 MathMode mode) {
  set_math_mode(mode);
  std::vector<float> x = values(g.in_pixels() * g.in_channels);
  std::vector<float> w = values(g.out_channels * g.taps() * g.group_inputs());
  std::vector<float> y = values(g.out_pixels() * g.out_channels);
  const double flops =
      2.0 * static_cast<double>(g.out_pixels() * g.out_channels * g.taps() * g.group_inputs());
  measure(state, threads, flops, [&] {
    switch (direction) {
      case Direction::forward:
        return kernels::convolve<float>(g, x.data(), w.data(), nullptr, y.data());
      case Direction::input_gradient:
        return kernels::convolve_input_gradient(g, y.data(), w.data(), x.data());
      case Direction::weight_gradient:
        return kernels::convolve_weight_gradient(g, x.data(), y.data(), w.data());
    }
  });
}

ConvGeometry square(int64_t batch, int64_t size, int64_t inputs, int64_t outputs, int64_t kernel,
                    int64_t stride = 1, int64_t groups = 1) {
  ConvGeometry g;
  g.batch = batch;
  g.in_channels = inputs;
  g.out_channels = outputs;
  g.groups = groups;
  g.input = size;
  g.output = (size + stride - 1) / stride;
  g.kernel = kernel;
  g.stride = stride;
  g.padding = kernel / 2;
  return g;
}

template <typename... Args>
void add(const std::string& name, Args... args) {
  benchmark::RegisterBenchmark(name.c_str(), args...)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MinTime(0.2);
}

void add_gemm(const char* what, int threads, int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  const std::string name = fmt::format("gemm {} {}x{}x{} {}{} t{}", what, m, n, k, ta ? "t" : "n",
                                       tb ? "t" : "n", threads);
  add(name, [=](benchmark::State& state) { gemm(state, threads, m, n, k, ta, tb); });
}

void add_convolution(const char* what, int threads, const ConvGeometry& g) {
  const auto one = [&](const char* direction_name, Direction direction) {
    for (const MathMode mode : {MathMode::fast, MathMode::exact}) {
      const std::string name = fmt::format("conv {} {}{} t{}", what, direction_name,
                                           mode == MathMode::exact ? " exact" : "", threads);
      add(name, [=](benchmark::State& state) { convolution(state, threads, g, direction, mode); });
    }
  };
  one("forward", Direction::forward);
  one("input", Direction::input_gradient);
  one("weight", Direction::weight_gradient);
}

const bool registered = [] {
  for (const int64_t size : {512, 1024, 2048}) {
    add(fmt::format("gemm Eigen {0}x{0}x{0} nn t1", size),
        [=](benchmark::State& state) { eigen(state, size, size, size); });
  }
  for (const int threads : {1, 2}) {
    add(fmt::format("peak t{}", threads), [=](benchmark::State& state) { peak(state, threads); });
    for (const int64_t size : {512, 1024, 2048}) {
      add_gemm("square", threads, size, size, size, false, false);
    }
    add_gemm("square", threads, 1024, 1024, 1024, false, true);
    add_gemm("square", threads, 1024, 1024, 1024, true, false);
    add_gemm("square", threads, 1024, 1024, 1024, true, true);
    add_gemm("cell", threads, 128, 16, 64, false, true);
    add_gemm("cell", threads, 128, 256, 16, false, true);
    add_gemm("cell", threads, 128, 64, 64, false, true);
    add_gemm("cell", threads, 64, 1024, 64, false, true);
    add_gemm("tokens", threads, 4096, 192, 192, false, true);
    add_gemm("tokens gradient", threads, 192, 192, 4096, true, false);
    add_gemm("tall", threads, 131072, 16, 144, false, false);
    add_gemm("sum", threads, 64, 16, 131072, true, false);
    add_convolution("stem 3->16 at 32", threads, square(128, 32, 3, 16, 3));
    add_convolution("16 at 32", threads, square(128, 32, 16, 16, 3));
    add_convolution("16->32 at 32 stride 2", threads, square(128, 32, 16, 32, 3, 2));
    add_convolution("32 at 16", threads, square(128, 16, 32, 32, 3));
    add_convolution("32->64 at 16 stride 2", threads, square(128, 16, 32, 64, 3, 2));
    add_convolution("64 at 8", threads, square(128, 8, 64, 64, 3));
    add_convolution("128 at 16", threads, square(32, 16, 128, 128, 3));
    add_convolution("256 at 8", threads, square(32, 8, 256, 256, 3));
    add_convolution("1x1 64->16 at 32", threads, square(64, 32, 64, 16, 1));
    add_convolution("1x1 16->64 at 32", threads, square(64, 32, 16, 64, 1));
    add_convolution("1x1 256->64 at 8", threads, square(64, 8, 256, 64, 1));
    add_convolution("1x1 16->32 at 32 stride 2", threads, square(128, 32, 16, 32, 1, 2));
    add_convolution("32 groups of 4 at 16", threads, square(32, 16, 128, 128, 3, 1, 32));
    add_convolution("depthwise 64 at 16", threads, square(64, 16, 64, 64, 3, 1, 64));
  }
  return true;
}();

}  // namespace
}  // namespace diagrad
