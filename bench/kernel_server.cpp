// What compare_ops.py talks to: times one product or convolution for each line on standard input.
//
//     kernel_server THREADS [--blas LIBRARY]
//
//     peak MS                                  multiply-adds in registers
//     gemm M N K TA TB MS                      C = op(A) op(B), TA and TB 0 or 1
//     conv DIRECTION B SIZE I O KERNEL STRIDE GROUPS MS     forward, input or weight; same padding
//
// The answer is a line of JSON: seconds of a call, by the clock and by the processors (the median
// of some MS milliseconds), processors used, and flops of a call. With --blas, products are those
// of a BLAS.
#include <dlfcn.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <iostream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/peak.h"
#include "diagrad/core/random.h"
#include "diagrad/ops/cpu/conv/convolution.h"
#include "diagrad/ops/cpu/gemm/gemm.h"
#include "diagrad/ops/cpu/gemm/scratch.h"

namespace diagrad {
namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Samples of at least a millisecond for `budget` seconds, after one call that warms up.
std::string measure(const std::function<void()>& run, double flops, double budget) {
  run();
  const double first = seconds(CLOCK_MONOTONIC);
  run();
  const double once = std::max(seconds(CLOCK_MONOTONIC) - first, 1e-8);
  const auto calls = std::max<int64_t>(1, static_cast<int64_t>(1e-3 / once));
  std::vector<double> wall;
  std::vector<double> cpu;
  for (const double begin = seconds(CLOCK_MONOTONIC);
       wall.size() < 3 || seconds(CLOCK_MONOTONIC) < begin + budget;) {
    const double wall_begin = seconds(CLOCK_MONOTONIC);
    const double cpu_begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0; i < calls; ++i) run();
    cpu.push_back((seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin) / static_cast<double>(calls));
    wall.push_back((seconds(CLOCK_MONOTONIC) - wall_begin) / static_cast<double>(calls));
  }
  // Processor time of other threads is counted late: not per sample.
  const double used =
      std::accumulate(cpu.begin(), cpu.end(), 0.0) / std::accumulate(wall.begin(), wall.end(), 0.0);
  return fmt::format(R"({{"wall": {:.9f}, "cpu": {:.9f}, "used": {:.2f}, "flops": {:.0f}}})",
                     median(wall), median(cpu), used, flops);
}

/// Random values at an address like a tensor's: on a line of the cache.
class Values {
 public:
  explicit Values(int64_t count) : values_(count) {
    RandomStream random(1, stream_id("bench"));
    for (float* at = data(); at != data() + count; ++at) {
      *at = static_cast<float>(random.uniform(-1.0, 1.0));
    }
  }
  float* data() const { return values_.data(); }

 private:
  kernels::Scratch<float> values_;
};

/// cblas_sgemm of a library, in the spellings of the distributions (32-bit sizes) and of NumPy's
/// package (64-bit).
class Blas {
 public:
  explicit Blas(const char* library) {
    void* const handle = dlopen(library, RTLD_NOW);
    DG_CHECK(handle != nullptr, "kernel_server: {}", dlerror());
    int_ = find<int>(handle, {"cblas_sgemm", "scipy_cblas_sgemm"});
    long_ = find<int64_t>(handle, {"scipy_cblas_sgemm64_", "cblas_sgemm64_"});
    DG_CHECK(int_ != nullptr || long_ != nullptr, "kernel_server: no cblas_sgemm in {}", library);
  }
  void multiply(const kernels::Gemm<float>& g) const {
    if (long_ != nullptr) return call(long_, g);
    call(int_, g);
  }

 private:
  template <typename Int>
  using Sgemm = void (*)(int order, int ta, int tb, Int m, Int n, Int k, float alpha,
                         const float* a, Int a_stride, const float* b, Int b_stride, float beta,
                         float* c, Int c_stride);

  template <typename Int>
  static Sgemm<Int> find(void* handle, const std::vector<const char*>& names) {
    for (const char* name : names) {
      if (void* const found = dlsym(handle, name)) return reinterpret_cast<Sgemm<Int>>(found);
    }
    return nullptr;
  }
  template <typename Int>
  static void call(Sgemm<Int> sgemm, const kernels::Gemm<float>& g) {
    constexpr int kRowMajor = 101;
    const auto transposed = [](bool is) { return is ? 112 : 111; };
    const auto size = [](int64_t value) { return static_cast<Int>(value); };
    sgemm(kRowMajor, transposed(g.transpose_a), transposed(g.transpose_b), size(g.m), size(g.n),
          size(g.k), 1.0F, g.a, size(g.a_stride), g.b, size(g.b_stride), 0.0F, g.c,
          size(g.c_stride));
  }

  Sgemm<int> int_ = nullptr;
  Sgemm<int64_t> long_ = nullptr;
};

std::string time_peak(std::istream& words, int threads) {
  double milliseconds = 0;
  words >> milliseconds;
  constexpr int64_t kRounds = 1 << 16;
  const double flops = run_multiply_adds<float>(threads, kRounds);
  return measure([&] { run_multiply_adds<float>(threads, kRounds); }, flops, 1e-3 * milliseconds);
}

std::string time_gemm(std::istream& words, const Blas* blas) {
  kernels::Gemm<float> g;
  double milliseconds = 0;
  words >> g.m >> g.n >> g.k >> g.transpose_a >> g.transpose_b >> milliseconds;
  const Values a(g.m * g.k);
  const Values b(g.k * g.n);
  const Values c(g.m * g.n);
  g.a = a.data();
  g.a_stride = g.transpose_a ? g.m : g.k;
  g.b = b.data();
  g.b_stride = g.transpose_b ? g.k : g.n;
  g.c = c.data();
  g.c_stride = g.n;
  const auto run = [&] { blas != nullptr ? blas->multiply(g) : kernels::gemm(g); };
  return measure(run, 2.0 * static_cast<double>(g.m * g.n * g.k), 1e-3 * milliseconds);
}

std::string time_convolution(std::istream& words) {
  ConvGeometry g;
  std::string direction;
  int64_t size = 0;
  int64_t kernel = 0;
  int64_t stride = 0;
  double milliseconds = 0;
  words >> direction >> g.batch >> size >> g.in_channels >> g.out_channels >> kernel >> stride >>
      g.groups >> milliseconds;
  DG_CHECK(kernel > 0 && stride > 0 && g.groups > 0, "kernel_server: conv with sizes of zero");
  g.input = size;
  g.output = (size - 1) / stride + 1;
  g.kernel = kernel;
  g.stride = stride;
  g.padding = kernel / 2;
  const Values x(g.in_pixels() * g.in_channels);
  const Values w(g.out_channels * g.taps() * g.group_inputs());
  const Values y(g.out_pixels() * g.out_channels);
  const auto run = [&] {
    if (direction == "forward") {
      kernels::convolve<float>(g, x.data(), w.data(), nullptr, y.data());
    } else if (direction == "input") {
      kernels::convolve_input_gradient(g, y.data(), w.data(), x.data());
    } else {
      kernels::convolve_weight_gradient(g, x.data(), y.data(), w.data());
    }
  };
  const int64_t pairs = g.out_channels * g.group_inputs();
  return measure(run, 2.0 * static_cast<double>(g.out_pixels() * g.taps() * pairs),
                 1e-3 * milliseconds);
}

int serve(int threads, const Blas* blas) {
  set_num_threads(threads);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    std::string answer;
    if (what == "peak") answer = time_peak(words, threads);
    if (what == "gemm") answer = time_gemm(words, blas);
    if (what == "conv") answer = time_convolution(words);
    DG_CHECK(words && !answer.empty(), "kernel_server: cannot read '{}'", line);
    std::cout << answer << std::endl;
  }
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  const bool has_blas = arguments.size() == 3 && arguments[1] == "--blas";
  DG_CHECK(arguments.size() == 1 || has_blas,
           "usage: kernel_server THREADS [--blas LIBRARY], got {} arguments", arguments.size());
  const int threads = std::stoi(arguments[0]);
  if (!has_blas) return serve(threads, nullptr);
  const Blas blas(arguments[2].c_str());
  return serve(threads, &blas);
}

}  // namespace
}  // namespace diagrad

int main(int count, char** arguments) {
  try {
    return diagrad::run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
