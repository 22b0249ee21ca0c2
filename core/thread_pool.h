#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "diagrad/core/function_ref.h"

namespace diagrad {

/// Helper threads for parallel_for. A caller works on its own loop from the start and waits only
/// for chunks that a helper has taken, never for a helper that has not begun: on a busy machine a
/// loop costs what one thread needs, not a turn of the scheduler. Waiting threads spin for some
/// 50 microseconds and sleep then, so that a helper without a core of its own gets the caller's.
/// A helper that wakes up on the caller's processor moves to another one.
/// Reasons and figures: docs/decisions/thread-pool.md.
class ThreadPool {
 public:
  using Body = FunctionRef<void(int64_t chunk)>;
  static constexpr int kMaxHelpers = 1023;
  static constexpr int64_t kMaxChunks = 0xFFFF;

  /// The pool of the process; its threads start when first asked for and live as long as it.
  static ThreadPool& instance();

  /// Calls body(chunk) once for each chunk of [0, chunks), on the caller and at most `helpers`
  /// other threads, in no particular order, and returns when all have returned. `body` must not
  /// throw. Callers that find the pool in use by another thread do all the work themselves.
  void run(int helpers, int64_t chunks, Body body);

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

 private:
  ThreadPool() = default;
  void start_helpers(int count);
  [[noreturn]] void help(int id);
  bool take_chunk(int id);
  void await_chunks(uint32_t count);

  /// Chunks to be done, chunks taken and helpers allowed, in one word: who changes it knows that
  /// what it read still holds, however late it comes.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  std::atomic<const Body*> body_{nullptr};
  alignas(64) std::atomic<uint32_t> done_{0};   ///< chunks of the current loop that are finished
  alignas(64) std::atomic<uint32_t> loops_{0};  ///< what sleeping helpers watch
  std::atomic<int> sleeping_{0};
  std::atomic<int> caller_processor_{-1};
  std::mutex in_use_;
  int started_ = 0;  ///< helpers that exist; guarded by in_use_
};

}  // namespace diagrad
