#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "diagrad/core/function_ref.h"
#include "diagrad/core/size2.h"
#include "diagrad/ops/cpu/conv/winograd_tiles.h"

namespace diagrad::kernels {

/// The result images [B,H,W,C] of a product that is made tile by tile, a group of channels at a
/// time.
struct TiledResult {
  float* data;
  int64_t batch;
  Size2 size;
  int64_t channels;        ///< C
  int64_t group_channels;  ///< of each group
  bool accumulate;         ///< the product is added to what is there
};

/// The tiles that read a value that is not finite. Transforms would spread it over the whole tile,
/// so these are left as they are and then made by the direct kernels.
class SkippedTiles {
 public:
  /// From any thread: tile `tile` of the result channels from `first_channel` on.
  void add(int64_t tile, int64_t first_channel);

  /// Calls direct(first, count, images) for runs of images that have such tiles: it makes, or adds,
  /// the results of images [first, first + count) there. Their skipped tiles are copied to
  /// `result`.
  void fill(const TiledResult& result,
            FunctionRef<void(int64_t first, int64_t count, float* images)> direct);

 private:
  struct Part {
    int64_t tile;
    int64_t first_channel;
  };

  std::mutex mutex_;
  std::vector<Part> parts_;
};

}  // namespace diagrad::kernels
