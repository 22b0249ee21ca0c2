#pragma once

#include <cstdint>

#include "diagrad/core/host_device.h"

namespace diagrad {

/// The windows of a pooling along one axis: which inputs an output covers, and which outputs cover
/// an input. Ranges are [first, last), cut to what exists.
struct PoolAxis {
  int64_t input = 0;
  int64_t output = 0;
  bool adaptive = false;
  int64_t kernel = 1;  ///< these three only where not adaptive
  int64_t stride = 1;
  int64_t padding = 0;

  DG_HOST_DEVICE int64_t first(int64_t out) const {
    if (adaptive) return out * input / output;
    const int64_t start = out * stride - padding;
    return start < 0 ? 0 : start;
  }
  DG_HOST_DEVICE int64_t last(int64_t out) const {
    if (adaptive) return ((out + 1) * input + output - 1) / output;
    const int64_t end = out * stride - padding + kernel;
    return end > input ? input : end;
  }
  DG_HOST_DEVICE int64_t first_output(int64_t in) const {
    if (adaptive) return in * output / input;
    const int64_t reach = in + padding - kernel;
    return reach < 0 ? 0 : reach / stride + 1;
  }
  DG_HOST_DEVICE int64_t last_output(int64_t in) const {
    if (adaptive) return ((in + 1) * output - 1) / input + 1;
    const int64_t end = (in + padding) / stride + 1;
    return end > output ? output : end;
  }
};

/// Pooling of images [B,H,W,C].
struct PoolGeometry {
  PoolAxis h, w;
  int64_t images = 0;
  int64_t channels = 0;
  bool count_include_pad = true;

  /// What the sum of a window is divided by.
  DG_HOST_DEVICE int64_t divisor(int64_t out_h, int64_t out_w) const {
    if (count_include_pad && !h.adaptive) return h.kernel * w.kernel;
    return (h.last(out_h) - h.first(out_h)) * (w.last(out_w) - w.first(out_w));
  }
};

}  // namespace diagrad
