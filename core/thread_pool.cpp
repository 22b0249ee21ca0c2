#include "diagrad/core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "diagrad/core/parallel.h"

namespace diagrad {
namespace {

/// Fields of the ticket: chunks taken, chunks in all, helpers allowed.
uint64_t make_ticket(int64_t chunks, int helpers) {
  return static_cast<uint64_t>(chunks) << 16 | static_cast<uint64_t>(helpers) << 32;
}
int64_t chunks_taken(uint64_t ticket) {
  return static_cast<int64_t>(ticket & 0xFFFF);
}
int64_t chunks_in_all(uint64_t ticket) {
  return static_cast<int64_t>(ticket >> 16 & 0xFFFF);
}
int helpers_allowed(uint64_t ticket) {
  return static_cast<int>(ticket >> 32);
}
bool has_chunk_for(uint64_t ticket, int id) {
  return id < helpers_allowed(ticket) && chunks_taken(ticket) < chunks_in_all(ticket);
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Prefetch `ready` for some 50 microseconds; whether it became true.
template <typename Ready>
bool spin_until(const Ready& ready) {
  constexpr auto kPatience = std::chrono::microseconds(50);
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() - start < kPatience);
  return false;
}

/// Has the calling thread go on elsewhere; it may come back later. Linux often wakes a thread on
/// the processor of who woke it and lets the two share it for tens of milliseconds while another
/// one idles. At most one try in a millisecond: where all processors are in use it would not help.
class Mover {
 public:
  void leave(int processor) {
    constexpr auto kPause = std::chrono::milliseconds(1);
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < kPause) return;
    last_ = now;
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
    cpu_set_t others = allowed;
    CPU_CLR(static_cast<size_t>(processor), &others);
    if (sched_setaffinity(0, sizeof others, &others) == 0) {
      (void)sched_setaffinity(0, sizeof allowed, &allowed);
    }
  }

 private:
  std::chrono::steady_clock::time_point last_;
};

/// The caller of run() counts as a helper that is always allowed.
constexpr int kCaller = -1;

}  // namespace

ThreadPool& ThreadPool::instance() {
  // Never destroyed: helpers may be anywhere in it when the process ends.
  static ThreadPool* const pool = new ThreadPool;
  return *pool;
}

void ThreadPool::run(int helpers, int64_t chunks, Body body) {
  const std::unique_lock lock(in_use_, std::try_to_lock);
  if (!lock.owns_lock()) {
    for (int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk);
    return;
  }
  start_helpers(helpers);
  done_.store(0, std::memory_order_relaxed);
  body_.store(&body, std::memory_order_relaxed);
  caller_processor_.store(sched_getcpu(), std::memory_order_relaxed);
  ticket_.store(make_ticket(chunks, helpers));
  loops_.fetch_add(1);
  if (sleeping_.load() > 0) loops_.notify_all();
  while (take_chunk(kCaller)) continue;
  await_chunks(static_cast<uint32_t>(chunks));
}

void ThreadPool::start_helpers(int count) {
  try {
    for (; started_ < std::min(count, kMaxHelpers); ++started_) {
      std::thread([this, id = started_] { help(id); }).detach();
    }
  } catch (const std::system_error&) {
    // The system grants no more threads: those that are there, or the caller alone, do the work.
  }
}

/// Takes the next chunk of the current loop and does it; false when none is left for `id`.
bool ThreadPool::take_chunk(int id) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (!has_chunk_for(ticket, id)) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel));
  (*body_.load(std::memory_order_relaxed))(chunks_taken(ticket));
  const uint32_t done = done_.fetch_add(1, std::memory_order_acq_rel) + 1;
  if (id != kCaller && done == chunks_in_all(ticket)) done_.notify_one();
  return true;
}

void ThreadPool::await_chunks(uint32_t count) {
  const auto finished = [&] { return done_.load(std::memory_order_acquire) == count; };
  if (spin_until(finished)) return;
  while (!finished()) {
    const uint32_t seen = done_.load(std::memory_order_acquire);
    if (seen != count) done_.wait(seen, std::memory_order_acquire);
  }
}

void ThreadPool::help(int id) {
  const SerialThread no_nesting;
  Mover mover;
  for (;;) {
    if (const int processor = sched_getcpu();
        processor >= 0 && processor == caller_processor_.load(std::memory_order_relaxed)) {
      mover.leave(processor);
    }
    while (take_chunk(id)) continue;
    if (spin_until([&] { return has_chunk_for(ticket_.load(std::memory_order_relaxed), id); })) {
      continue;
    }
    // Counted as asleep before the last look: a caller that comes between wakes this thread.
    sleeping_.fetch_add(1);
    const uint32_t seen = loops_.load();
    if (!has_chunk_for(ticket_.load(), id)) loops_.wait(seen);
    sleeping_.fetch_sub(1);
  }
}

}  // namespace diagrad
