#include "diagrad/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "diagrad/core/thread_pool.h"

namespace diagrad {
namespace {

thread_local bool serial_thread = false;

}  // namespace

ChunkPlan::ChunkPlan(int64_t size, int64_t grain) {
  if (size <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunks = std::clamp<int64_t>(size / grain, 1, kMaxChunks);
  chunk_size = (size + chunks - 1) / chunks;
  count = (size + chunk_size - 1) / chunk_size;
}

SerialThread::SerialThread() : before_(serial_thread) {
  serial_thread = true;
}
SerialThread::~SerialThread() {
  serial_thread = before_;
}

namespace {

/// Apart from parallel_for_chunks and never inlined: a function with a region calls the OpenMP
/// runtime as soon as it is entered, and serial threads are to leave it alone.
[[gnu::noinline]] void run_region(int threads, int64_t chunks, FunctionRef<void(int64_t)> run) {
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(threads)
  {
    const SerialThread no_nesting;
    for (int64_t chunk = next.fetch_add(1); chunk < chunks; chunk = next.fetch_add(1)) run(chunk);
  }
}

/// The exception of the lowest chunk that threw one.
class FirstError {
 public:
  void caught(int64_t chunk) {
    const std::lock_guard lock(mutex_);
    if (error_ && chunk > chunk_) return;
    chunk_ = chunk;
    error_ = std::current_exception();
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
  int64_t chunk_ = 0;
};

void run_chunks(int threads, int64_t chunks, FunctionRef<void(int64_t)> run) {
  FirstError error;
  const auto guarded = [&](int64_t chunk) {
    try {
      run(chunk);
    } catch (...) {
      error.caught(chunk);
    }
  };
  if (thread_backend() == ThreadBackend::openmp) {
    run_region(threads, chunks, guarded);
  } else {
    const SerialThread no_nesting;
    ThreadPool::instance().run(threads - 1, chunks, guarded);
  }
  error.rethrow();
}

}  // namespace

void parallel_for_chunks(const ChunkPlan& plan, int64_t size,
                         FunctionRef<void(int64_t, int64_t, int64_t)> body) {
  const auto run = [&](int64_t chunk) {
    const int64_t first = chunk * plan.chunk_size;
    body(chunk, first, std::min(first + plan.chunk_size, size));
  };
  const int threads =
      serial_thread ? 1 : static_cast<int>(std::min<int64_t>(num_threads(), plan.count));
  if (threads <= 1) {
    for (int64_t chunk = 0; chunk < plan.count; ++chunk) run(chunk);
    return;
  }
  run_chunks(threads, plan.count, run);
}

void parallel_for(int64_t size, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  parallel_for_chunks(ChunkPlan(size, grain), size,
                      [&](int64_t /*chunk*/, int64_t first, int64_t last) { body(first, last); });
}

}  // namespace diagrad
