#pragma once

#include <span>
#include <string_view>

namespace diagrad::data {

struct Point {
  float x = 0.0F;
  float y = 0.0F;
};

/// A form of the shapes set in its own coordinates: x right, y down, within the unit circle.
struct Outline {
  std::string_view name;
  /// Signed distance of a point to the outline, negative inside; exact near the outline, which is
  /// what its anti-aliased edge needs.
  float (*distance)(Point);
};

/// The ten forms, in order of their labels.
std::span<const Outline> outlines();

/// Signed distance to a polygon (even-odd rule): to the nearest edge, negative inside.
float polygon_distance(std::span<const Point> corners, Point p);
/// Signed distance to a line from a to b with round ends.
float stroke_distance(Point a, Point b, float radius, Point p);

}  // namespace diagrad::data
