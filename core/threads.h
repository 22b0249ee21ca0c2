#pragma once

namespace diagrad {

/// Threads that a parallel loop may use, the caller included. Starts at OMP_NUM_THREADS or the
/// number of cores.
int num_threads();
/// Throws for a count outside [1, 1024].
void set_num_threads(int count);

/// What parallel loops run on: the threads of thread_pool.h, or an OpenMP region. Chunks and
/// results are the same. Starts at the environment's DIAGRAD_THREAD_BACKEND, else at `pool`;
/// throws for a value that is neither.
enum class ThreadBackend { pool, openmp };
ThreadBackend thread_backend();
/// "pool" or "openmp"
const char* name(ThreadBackend backend);
void set_thread_backend(ThreadBackend backend);

}  // namespace diagrad
