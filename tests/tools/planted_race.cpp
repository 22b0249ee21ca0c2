// Shows that the preset `tsan` sees what it is there for, on the backend that
// DIAGRAD_THREAD_BACKEND names. `race`: two chunks of a parallel loop add to one variable, and
// ThreadSanitizer must say so. `clean`: chunks write places of their own, which the caller reads
// after the loop; it must keep still, for OpenMP by what Archer tells it.
#include <atomic>
#include <cstdio>
#include <string_view>
#include <thread>
#include <vector>

#include "diagrad/core/parallel.h"

namespace {

/// Runs body(chunk) in two chunks, on a thread each: a chunk waits until both bodies are done.
/// Relaxed, so that the waiting orders nothing.
template <typename Body>
void on_two_threads(const Body& body) {
  std::atomic<int> done{0};
  diagrad::parallel_for(2, 1, [&](int64_t chunk, int64_t) {
    body(chunk);
    done.fetch_add(1, std::memory_order_relaxed);
    while (done.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
  });
}

int64_t race() {
  int64_t sum = 0;
  on_two_threads([&](int64_t chunk) { sum += chunk; });
  return sum;
}

int64_t clean() {
  int64_t sum = 0;
  std::vector<int64_t> values(2, 0);
  for (int loop = 0; loop < 100; ++loop) {
    on_two_threads([&](int64_t chunk) { values[static_cast<size_t>(chunk)] += chunk; });
    sum += values[0] + values[1];
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what != "race" && what != "clean") {
    std::fprintf(stderr, "usage: planted_race race|clean\n");
    return 2;
  }
  diagrad::set_num_threads(2);
  std::printf("%lld\n", static_cast<long long>(what == "race" ? race() : clean()));
  return 0;
}
