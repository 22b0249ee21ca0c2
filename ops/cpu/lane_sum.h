#pragma once

#include <algorithm>
#include <cstdint>

namespace diagrad::kernels {

/// Values that are added side by side: compilers may not reorder a sum, but they vectorise this
/// one.
inline constexpr int64_t kSumLanes = 32;

/// sum over i in [0, n) of term(i): lane by lane, then elementwise over the lanes.
template <typename T, typename Term>
inline T lane_sum(int64_t n, Term term) {
  T lanes[kSumLanes] = {};
  int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes) {
    for (int64_t lane = 0; lane < kSumLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (int64_t lane = 0; i + lane < n; ++lane) lanes[lane] += term(i + lane);
  for (int64_t half = kSumLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// The largest of x[0..n), n > 0; NaN only where x[0] is.
template <typename T>
inline T lane_max(int64_t n, const T* __restrict x) {
  T lanes[kSumLanes];
  std::fill(lanes, lanes + kSumLanes, x[0]);
  int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes) {
    for (int64_t lane = 0; lane < kSumLanes; ++lane) {
      lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
    }
  }
  for (; i < n; ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  for (int64_t lane = 1; lane < kSumLanes; ++lane) {
    lanes[0] = lanes[lane] > lanes[0] ? lanes[lane] : lanes[0];
  }
  return lanes[0];
}

}  // namespace diagrad::kernels
