#include "diagrad/core/peak.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "diagrad/core/error.h"
#include "diagrad/core/parallel.h"
#include "diagrad/core/vector.h"

namespace diagrad {
namespace {

using Clock = std::chrono::steady_clock;

/// Computes on this many threads while it lives.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(num_threads()) { set_num_threads(count); }
  ~ThreadCount() { set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

/// Units (flops, bytes) per second in the best of `turns` calls; run() returns the units it did.
template <typename Run>
double best_rate(int turns, const Run& run) {
  double best = 0.0;
  for (int turn = 0; turn < turns; ++turn) {
    const auto start = Clock::now();
    const double units = run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, units / seconds);
  }
  return best;
}

}  // namespace

template <typename T>
double run_multiply_adds(int threads, int64_t rounds) {
  constexpr int kChains = kVectorRegisters - 4;
  const ThreadCount count(threads);
  parallel_for(threads, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      Vec<T> sum[kChains];
      DG_UNROLL
      for (int chain = 0; chain < kChains; ++chain) {
        sum[chain] = broadcast(static_cast<T>(chain + i));
      }
      const Vec<T> factor = broadcast(static_cast<T>(0.5));
      for (int64_t round = 0; round < rounds; ++round) {
        DG_UNROLL
        for (int chain = 0; chain < kChains; ++chain) sum[chain] = sum[chain] * factor + factor;
      }
      // Marks the results as used; otherwise the compiler removes the loop.
      DG_UNROLL
      for (int chain = 0; chain < kChains; ++chain) asm volatile("" : : "m"(sum[chain]));
    }
  });
  return 2.0 * kChains * kLanes<T> * static_cast<double>(rounds) * threads;
}

template double run_multiply_adds<float>(int threads, int64_t rounds);
template double run_multiply_adds<double>(int threads, int64_t rounds);

double measured_peak(int threads, DType dtype) {
  DG_CHECK(dtype == DType::f32 || dtype == DType::f64, "measured_peak: {} is not f32 or f64",
           dtype);
  constexpr int kTurns = 12;
  constexpr int64_t kRounds = 1 << 18;
  return best_rate(kTurns, [&] {
    return dtype == DType::f64 ? run_multiply_adds<double>(threads, kRounds)
                               : run_multiply_adds<float>(threads, kRounds);
  });
}

double measured_bandwidth(int threads) {
  constexpr int64_t kSize = 1 << 24;
  constexpr int kTurns = 6;
  constexpr int64_t kGrain = 1 << 18;
  const ThreadCount count(threads);
  // Not filled here: each page belongs to the thread that writes it first.
  const std::unique_ptr<float[]> memory(new float[3 * kSize]);
  float* a = memory.get();
  float* b = a + kSize;
  float* c = b + kSize;
  parallel_for(kSize, kGrain, [&](int64_t first, int64_t last) {
    for (float* array : {a, b, c}) std::fill(array + first, array + last, 1.0F);
  });
  return best_rate(kTurns, [&] {
    parallel_for(kSize, kGrain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) a[i] = b[i] + 0.5F * c[i];
      asm volatile("" : : "r"(a) : "memory");
    });
    return 3.0 * static_cast<double>(kSize) * sizeof(float);
  });
}

}  // namespace diagrad
