#include "diagrad/data/geometry.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "diagrad/core/error.h"

namespace diagrad::data {
namespace {

using PixelMap = Geometry::PixelMap;

/// An image that a step makes larger than this is taken for a mistake of its options.
constexpr int64_t kMaxSide = 1 << 16;

bool is_whole(double value) {
  return value == std::floor(value) && std::abs(value) < 1e9;
}

double determinant(const AffineMap& map) {
  return map.yy * map.xx - map.yx * map.xy;
}

/// The map of pixel numbers that an affine map is, where it is one.
std::optional<PixelMap> whole_pixels(const AffineMap& map) {
  const bool upright =
      map.yx == 0.0 && map.xy == 0.0 && std::abs(map.yy) == 1.0 && std::abs(map.xx) == 1.0;
  const bool turned =
      map.yy == 0.0 && map.xx == 0.0 && std::abs(map.yx) == 1.0 && std::abs(map.xy) == 1.0;
  if ((!upright && !turned) || !is_whole(map.y0) || !is_whole(map.x0)) return std::nullopt;
  const auto whole = [](double value) { return static_cast<int64_t>(value); };
  // Of mirrored pixels, the edge that lies at i + 1 in the old image comes first in the new one.
  return PixelMap{.bottom = map.size.height,
                  .right = map.size.width,
                  .yy = whole(map.yy),
                  .yx = whole(map.yx),
                  .y0 = whole(map.y0) - (map.yy + map.yx < 0.0 ? 1 : 0),
                  .xy = whole(map.xy),
                  .xx = whole(map.xx),
                  .x0 = whole(map.x0) - (map.xy + map.xx < 0.0 ? 1 : 0)};
}

/// Shrinks [first, last) to the i for which sign * i + start lies in [low, high).
void keep_within(int64_t sign, int64_t start, int64_t low, int64_t high, int64_t& first,
                 int64_t& last) {
  if (sign > 0) {
    first = std::max(first, low - start);
    last = std::min(last, high - start);
  } else {
    first = std::max(first, start - high + 1);
    last = std::min(last, start - low + 1);
  }
  last = std::max(first, last);
}

/// Leaves of the rectangle of `map` what shows rows [top, bottom), columns [left, right).
void keep_within(PixelMap& map, int64_t top, int64_t bottom, int64_t left, int64_t right) {
  if (map.yy != 0) {
    keep_within(map.yy, map.y0, top, bottom, map.top, map.bottom);
    keep_within(map.xx, map.x0, left, right, map.left, map.right);
  } else {
    keep_within(map.yx, map.y0, top, bottom, map.left, map.right);
    keep_within(map.xy, map.x0, left, right, map.top, map.bottom);
  }
}

/// `second` after `first`: new pixel -> pixel between -> old pixel.
PixelMap joined(const PixelMap& first, const PixelMap& second) {
  return {.top = second.top,
          .bottom = second.bottom,
          .left = second.left,
          .right = second.right,
          .yy = first.yy * second.yy + first.yx * second.xy,
          .yx = first.yy * second.yx + first.yx * second.xx,
          .y0 = first.yy * second.y0 + first.yx * second.x0 + first.y0,
          .xy = first.xy * second.yy + first.xx * second.xy,
          .xx = first.xy * second.yx + first.xx * second.xx,
          .x0 = first.xy * second.y0 + first.xx * second.x0 + first.x0};
}

/// One channel of an image at a position within it, between the centres of four pixels.
uint8_t bilinear(const uint8_t* pixels, const ImageSize& size, int64_t channels, double y, double x,
                 int64_t channel) {
  const double top = std::clamp(y - 0.5, 0.0, static_cast<double>(size.height - 1));
  const double left = std::clamp(x - 0.5, 0.0, static_cast<double>(size.width - 1));
  const auto i = static_cast<int64_t>(top);
  const auto j = static_cast<int64_t>(left);
  const double down = top - static_cast<double>(i);
  const double right = left - static_cast<double>(j);
  const auto at = [&](int64_t row, int64_t column) {
    const int64_t inside_row = std::min(row, size.height - 1);
    const int64_t inside_column = std::min(column, size.width - 1);
    return static_cast<double>(
        pixels[(inside_row * size.width + inside_column) * channels + channel]);
  };
  const double above = (1.0 - right) * at(i, j) + right * at(i, j + 1);
  const double below = (1.0 - right) * at(i + 1, j) + right * at(i + 1, j + 1);
  return static_cast<uint8_t>(std::lround((1.0 - down) * above + down * below));
}

/// Around the corners of the box, where `map` shows them.
void move_box(const AffineMap& map, float* box) {
  const double d = determinant(map);
  double left = INFINITY;
  double top = INFINITY;
  double right = -INFINITY;
  double bottom = -INFINITY;
  for (const int corner : {0, 1, 2, 3}) {
    const double y = static_cast<double>(box[(corner & 1) != 0 ? 3 : 1]) - map.y0;
    const double x = static_cast<double>(box[(corner & 2) != 0 ? 2 : 0]) - map.x0;
    const double new_y = (map.xx * y - map.yx * x) / d;
    const double new_x = (map.yy * x - map.xy * y) / d;
    top = std::min(top, new_y);
    bottom = std::max(bottom, new_y);
    left = std::min(left, new_x);
    right = std::max(right, new_x);
  }
  const std::array<double, 4> moved{left, top, right, bottom};
  std::transform(moved.begin(), moved.end(), box,
                 [](double value) { return static_cast<float>(value); });
}

/// Clips a box to an image; whether anything is left of it.
bool clip_box(const ImageSize& size, float* box) {
  const auto width = static_cast<float>(size.width);
  const auto height = static_cast<float>(size.height);
  box[0] = std::clamp(box[0], 0.0F, width);
  box[1] = std::clamp(box[1], 0.0F, height);
  box[2] = std::clamp(box[2], 0.0F, width);
  box[3] = std::clamp(box[3], 0.0F, height);
  return box[0] < box[2] && box[1] < box[3];
}

}  // namespace

void Geometry::start(const ImageSize& source) {
  source_ = source;
  maps_.clear();
}

void Geometry::add(const AffineMap& map) {
  DG_CHECK(map.size.height >= 1 && map.size.width >= 1 && map.size.height <= kMaxSide &&
               map.size.width <= kMaxSide,
           "augment: an image of {}x{} becomes one of {}x{}, expected sides from 1 to {}",
           size().height, size().width, map.size.height, map.size.width, kMaxSide);
  DG_CHECK(std::isfinite(map.y0) && std::isfinite(map.x0) && std::isnormal(determinant(map)),
           "augment: a geometric step gives [{}, {}, {}; {}, {}, {}], which has no inverse", map.yy,
           map.yx, map.y0, map.xy, map.xx, map.x0);
  maps_.push_back(map);
}

std::optional<PixelMap> Geometry::pixel_map() const {
  PixelMap result{.bottom = source_.height, .right = source_.width};
  for (const AffineMap& map : maps_) {
    std::optional<PixelMap> next = whole_pixels(map);
    if (!next) return std::nullopt;
    keep_within(*next, result.top, result.bottom, result.left, result.right);
    result = joined(result, *next);
  }
  return result;
}

std::optional<Geometry::Position> Geometry::source_of(int64_t i, int64_t j) const {
  Position at{static_cast<double>(i) + 0.5, static_cast<double>(j) + 0.5};
  for (size_t k = maps_.size(); k-- > 0;) {
    const AffineMap& map = maps_[k];
    at = {map.yy * at.y + map.yx * at.x + map.y0, map.xy * at.y + map.xx * at.x + map.x0};
    const ImageSize before = size_before(k);
    const bool inside = at.y >= 0.0 && at.y < static_cast<double>(before.height) && at.x >= 0.0 &&
                        at.x < static_cast<double>(before.width);
    if (!inside) return std::nullopt;
  }
  return at;
}

void Geometry::move_image(const uint8_t* pixels, int64_t channels, uint8_t* out) const {
  const ImageSize to = size();
  const std::optional<PixelMap> whole = pixel_map();
  if (whole) {
    std::fill_n(out, to.height * to.width * channels, uint8_t{0});
    for (int64_t i = whole->top; i < whole->bottom; ++i) {
      for (int64_t j = whole->left; j < whole->right; ++j) {
        const int64_t y = whole->y0 + whole->yy * i + whole->yx * j;
        const int64_t x = whole->x0 + whole->xy * i + whole->xx * j;
        std::copy_n(pixels + (y * source_.width + x) * channels, channels,
                    out + (i * to.width + j) * channels);
      }
    }
    return;
  }
  for (int64_t i = 0; i < to.height; ++i) {
    for (int64_t j = 0; j < to.width; ++j) {
      const std::optional<Position> at = source_of(i, j);
      for (int64_t c = 0; c < channels; ++c) {
        *out++ = at ? bilinear(pixels, source_, channels, at->y, at->x, c) : uint8_t{0};
      }
    }
  }
}

template <typename T>
void Geometry::move_map(const T* values, T outside, T* out) const {
  const ImageSize to = size();
  const std::optional<PixelMap> whole = pixel_map();
  if (whole) {
    std::fill_n(out, to.height * to.width, outside);
    const int64_t step = whole->yx * source_.width + whole->xx;
    for (int64_t i = whole->top; i < whole->bottom; ++i) {
      const T* from =
          values + (whole->y0 + whole->yy * i) * source_.width + whole->x0 + whole->xy * i;
      T* row = out + i * to.width;
      for (int64_t j = whole->left; j < whole->right; ++j) row[j] = from[j * step];
    }
    return;
  }
  for (int64_t i = 0; i < to.height; ++i) {
    for (int64_t j = 0; j < to.width; ++j) {
      const std::optional<Position> at = source_of(i, j);
      *out++ =
          at ? values[static_cast<int64_t>(at->y) * source_.width + static_cast<int64_t>(at->x)]
             : outside;
    }
  }
}

template void Geometry::move_map(const uint8_t*, uint8_t, uint8_t*) const;
template void Geometry::move_map(const int64_t*, int64_t, int64_t*) const;
template void Geometry::move_map(const float*, float, float*) const;

std::vector<int64_t> Geometry::move_boxes(std::vector<float>& boxes) const {
  std::vector<int64_t> kept;
  const auto count = static_cast<int64_t>(boxes.size()) / 4;
  for (int64_t k = 0; k < count; ++k) {
    float* box = boxes.data() + 4 * k;
    bool left = clip_box(source_, box);
    for (const AffineMap& map : maps_) {
      if (!left) break;
      move_box(map, box);
      left = clip_box(map.size, box);
    }
    if (!left) continue;
    std::copy_n(box, 4, boxes.begin() + 4 * static_cast<int64_t>(kept.size()));
    kept.push_back(k);
  }
  boxes.resize(kept.size() * 4);
  return kept;
}

}  // namespace diagrad::data
