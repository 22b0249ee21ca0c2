#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/core/function_ref.h"
#include "diagrad/core/size2.h"
#include "diagrad/ops/cpu/gemm/micro_kernel.h"

namespace diagrad::kernels {

/// A tap of a window along one axis: where it looks, in source pixels from the window's origin, and
/// which index of the weights it belongs to.
struct Tap {
  int64_t offset;
  int64_t index;
};

/// The windows behind some of the result's pixels: those at first + point * result_step.
struct WindowSet {
  Size2 first = 0;               ///< result pixel of the first point
  Size2 grid = 0;                ///< number of points
  std::vector<Tap> row_taps;     ///< by ascending offset; none: the result is zero
  std::vector<Tap> column_taps;  ///< by ascending offset

  int64_t taps() const { return static_cast<int64_t>(row_taps.size() * column_taps.size()); }
};

/// A weighted sum of source pixels around every point p of the grid of every window set:
///
///   result[b, first + p * result_step, o] =
///       bias[o] + sum over taps (r, s) and channels c of
///       source[b, p.h * source_step.h + r.offset, p.w * source_step.w + s.offset, c] * w(r, s, c,
///       o)
///
/// with zeros outside the source, c over the channels of o's group. Forward convolution has one
/// window set; the input gradient of a convolution with stride has one per residue of the pixel
/// position, each with its own taps.
struct DirectConv {
  int64_t batch = 0;
  int64_t groups = 1;
  bool channelwise =
      false;  ///< depthwise: result channel c sees source channel c only; groups is 1
  int64_t source_channels = 0;
  int64_t result_channels = 0;
  Size2 source = 0;       ///< size of the source images
  Size2 result = 0;       ///< size of the result images
  Size2 source_step = 1;  ///< source pixels per grid point
  Size2 result_step = 1;  ///< result pixels per grid point
  std::vector<WindowSet> sets;
  bool accumulate = false;  ///< the sum is added to what the result holds

  /// Length of the sum behind a result of `set`.
  int64_t inner_size(const WindowSet& set) const {
    return channelwise ? set.taps() : set.taps() * source_channels / groups;
  }
};

/// Fills one panel of a group's weights for a window set: rows in the order (row tap, column tap,
/// channel; no channel where channelwise), columns as `split` says.
template <typename T>
using PackWeights = FunctionRef<void(const WindowSet& set, int64_t group,
                                     const PanelSplit<T>& split, int64_t panel, T* packed)>;

/// Runs in parallel over bands of images: a band is copied with its border of zeros into a buffer
/// that stays in cache (or read in place where no border is needed), and the windows are read from
/// there as rows of a matrix product, without ever being copied out.
template <typename T>
void direct_conv(const DirectConv& conv, PackWeights<T> pack, const T* source, const T* bias,
                 T* result);

}  // namespace diagrad::kernels
