#include "diagrad/core/threads.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>

#include "diagrad/core/error.h"

namespace diagrad {
namespace {

std::atomic<int>& thread_count() {
  static std::atomic<int> count{std::max(1, omp_get_max_threads())};
  return count;
}

ThreadBackend backend_of_environment() {
  const char* name = std::getenv("DIAGRAD_THREAD_BACKEND");
  if (name == nullptr || name == std::string_view("pool")) return ThreadBackend::pool;
  DG_CHECK(name == std::string_view("openmp"),
           "DIAGRAD_THREAD_BACKEND: '{}' is not one of pool, openmp", name);
  return ThreadBackend::openmp;
}

std::atomic<ThreadBackend>& backend() {
  static std::atomic<ThreadBackend> value{backend_of_environment()};
  return value;
}

}  // namespace

int num_threads() {
  return thread_count().load(std::memory_order_relaxed);
}

void set_num_threads(int count) {
  DG_CHECK(count >= 1 && count <= 1024, "threads: {} is out of range, use 1 to 1024", count);
  thread_count().store(count, std::memory_order_relaxed);
}

ThreadBackend thread_backend() {
  return backend().load(std::memory_order_relaxed);
}

const char* name(ThreadBackend value) {
  return value == ThreadBackend::pool ? "pool" : "openmp";
}

void set_thread_backend(ThreadBackend value) {
  backend().store(value, std::memory_order_relaxed);
}

}  // namespace diagrad
