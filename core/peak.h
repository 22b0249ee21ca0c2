#pragma once

#include <cstdint>

#include "diagrad/core/dtype.h"

namespace diagrad {

/// `rounds` rounds of independent multiply-adds in registers on each of `threads` threads, enough
/// of them to fill the latency of every unit. Returns the flops done, 2 per multiply-add. T is
/// float or double.
template <typename T>
double run_multiply_adds(int threads, int64_t rounds);

/// Flops per second of the multiply-add units of `threads` threads: the best of several short
/// runs. What this machine reaches now, not what its maker promises.
double measured_peak(int threads, DType dtype);

/// Bytes per second of a[i] = b[i] + s c[i] over `threads` threads and arrays of 64 MiB, the best
/// of several passes; counts two reads and one write, as STREAM does.
double measured_bandwidth(int threads);

}  // namespace diagrad
