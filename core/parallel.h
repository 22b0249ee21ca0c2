#pragma once

#include <cstdint>

#include "diagrad/core/function_ref.h"
#include "diagrad/core/threads.h"

namespace diagrad {

/// How parallel_for cuts [0, size): a function of size and grain alone, never of the thread
/// count, so that partial results per chunk add up to the same bits for any number of threads.
/// At most kMaxChunks chunks, all of one size but the last, which may be shorter; that size is at
/// least `grain` items unless the whole range is less.
struct ChunkPlan {
  static constexpr int64_t kMaxChunks = 64;
  ChunkPlan(int64_t size, int64_t grain);
  int64_t count = 0;       ///< number of chunks
  int64_t chunk_size = 0;  ///< items per chunk
};

/// Calls body(first, last) over [0, size) in the chunks of ChunkPlan(size, grain), claimed
/// dynamically by up to num_threads() threads. Runs serially inside another parallel_for and on
/// threads marked by SerialThread. The first exception (lowest chunk) is rethrown to the caller.
void parallel_for(int64_t size, int64_t grain, FunctionRef<void(int64_t first, int64_t last)> body);

/// As above, with the index of the chunk, for partial results that the caller combines in order.
void parallel_for_chunks(const ChunkPlan& plan, int64_t size,
                         FunctionRef<void(int64_t chunk, int64_t first, int64_t last)> body);

/// While alive, parallel loops of the current thread run serially: loader threads hold one, so
/// that they never open a parallel region beside the training thread's.
class SerialThread {
 public:
  SerialThread();
  ~SerialThread();
  SerialThread(const SerialThread&) = delete;
  SerialThread& operator=(const SerialThread&) = delete;

 private:
  bool before_;
};

}  // namespace diagrad
