#include "diagrad/models/unet_levels.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "diagrad/core/error.h"

namespace diagrad::models {
namespace {

using Path = UnetLevel::Path;

UnetLevel unet_level(const UnetOptions& options, Path path, size_t level) {
  const Size2 size{options.input.h >> level, options.input.w >> level};
  const bool attends =
      std::find(options.attn.begin(), options.attn.end(), size.h) != options.attn.end();
  const size_t last = options.mult.size() - 1;
  const int64_t width = options.base * options.mult[level];
  switch (path) {
    case Path::down:
      return {path, fmt::format("down_blocks.{}", level), width,
              size, attends ? options.blocks : 0,         level < last};
    case Path::up:
      return {path, fmt::format("up_blocks.{}", last - level), width,
              size, attends ? options.blocks + 1 : 0,          level > 0};
    case Path::mid:
      break;
  }
  return {path, "mid_block", width, size, 1, false};
}

}  // namespace

std::vector<UnetLevel> unet_levels(const UnetOptions& options) {
  std::vector<UnetLevel> shapes;
  int64_t channels = options.base;
  std::vector<int64_t> skips = {channels};
  for (size_t level = 0; level < options.mult.size(); ++level) {
    UnetLevel& down = shapes.emplace_back(unet_level(options, Path::down, level));
    for (int64_t i = 0; i < options.blocks; ++i) {
      down.in.push_back(channels);
      channels = down.width;
      skips.push_back(channels);
    }
    if (down.resamples) skips.push_back(channels);
  }
  shapes.push_back(unet_level(options, Path::mid, options.mult.size() - 1));
  shapes.back().in = {channels, channels};
  for (size_t level = options.mult.size(); level-- > 0;) {
    UnetLevel& up = shapes.emplace_back(unet_level(options, Path::up, level));
    for (int64_t i = 0; i < options.blocks + 1; ++i) {
      up.in.push_back(channels + skips.back());
      skips.pop_back();
      channels = up.width;
    }
  }
  return shapes;
}

void check_unet_size(Size2 size, size_t levels) {
  const int64_t step = int64_t{1} << (levels - 1);
  const auto fitting = [&](int64_t side) {
    return std::max<int64_t>((side + step - 1) / step, 1) * step;
  };
  DG_CHECK(size.h > 0 && size.w > 0 && size.h % step == 0 && size.w % step == 0,
           "unet: images of {}x{} pixels cannot be halved {} times, once between its {} levels; "
           "heights and widths must be multiples of {}, such as {}x{}",
           size.h, size.w, levels - 1, levels, step, fitting(size.h), fitting(size.w));
}

void check_unet_attn(const UnetOptions& options) {
  std::vector<int64_t> heights;
  for (size_t level = 0; level < options.mult.size(); ++level) {
    heights.push_back(options.input.h >> level);
  }
  for (const int64_t height : options.attn) {
    DG_CHECK(std::find(heights.begin(), heights.end(), height) != heights.end(),
             "unet: attn={} is the height of none of its levels, which have {}; leave it empty for "
             "self-attention in the middle alone",
             height, fmt::join(heights, ", "));
  }
}

}  // namespace diagrad::models
