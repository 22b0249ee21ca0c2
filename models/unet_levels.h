#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/core/size2.h"
#include "diagrad/models/unet.h"

/// The shape of a U-net (models/unet.h), without its layers.
namespace diagrad::models {

/// One level of one path: a stage of the net.
struct UnetLevel {
  enum class Path { down, mid, up };

  Path path;
  std::string name;              ///< of its module: `down_blocks.0`
  int64_t width;                 ///< channels that it gives
  Size2 size;                    ///< (H, W)
  int64_t attentions;            ///< blocks, from the first on, with self-attention behind them
  bool resamples;                ///< whether its path goes on behind it
  std::vector<int64_t> in = {};  ///< channels that each block reads
};

/// In order of execution: down, the middle, up.
std::vector<UnetLevel> unet_levels(const UnetOptions& options);

/// Throws for images that the levels cannot halve, with sizes that they can.
void check_unet_size(Size2 size, size_t levels);
/// Throws for a height in `attn` that no level has.
void check_unet_attn(const UnetOptions& options);

}  // namespace diagrad::models
