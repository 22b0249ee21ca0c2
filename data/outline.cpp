#include "diagrad/data/outline.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace diagrad::data {
namespace {

float square_of_distance_to_segment(Point a, Point b, Point p) {
  const Point edge{b.x - a.x, b.y - a.y};
  const Point to_p{p.x - a.x, p.y - a.y};
  const float along =
      (to_p.x * edge.x + to_p.y * edge.y) / (edge.x * edge.x + edge.y * edge.y + 1e-12F);
  const float t = std::clamp(along, 0.0F, 1.0F);
  const float dx = to_p.x - t * edge.x;
  const float dy = to_p.y - t * edge.y;
  return dx * dx + dy * dy;
}

float disc_distance(Point centre, float radius, Point p) {
  const float dx = p.x - centre.x;
  const float dy = p.y - centre.y;
  return std::sqrt(dx * dx + dy * dy) - radius;
}

float circle(Point p) {
  return disc_distance({0.0F, 0.0F}, 0.85F, p);
}

float square(Point p) {
  static constexpr std::array<Point, 4> corners{
      {{-0.72F, -0.72F}, {0.72F, -0.72F}, {0.72F, 0.72F}, {-0.72F, 0.72F}}};
  return polygon_distance(corners, p);
}

float triangle(Point p) {
  static constexpr std::array<Point, 3> corners{{{0.0F, -1.0F}, {0.866F, 0.5F}, {-0.866F, 0.5F}}};
  return polygon_distance(corners, p);
}

/// Five points: corners at 36 degrees, alternating between radius 1 and 0.42.
float star(Point p) {
  static constexpr std::array<Point, 10> corners{{{0.0F, -1.0F},
                                                  {0.2469F, -0.3398F},
                                                  {0.9511F, -0.3090F},
                                                  {0.3994F, 0.1298F},
                                                  {0.5878F, 0.8090F},
                                                  {0.0F, 0.42F},
                                                  {-0.5878F, 0.8090F},
                                                  {-0.3994F, 0.1298F},
                                                  {-0.9511F, -0.3090F},
                                                  {-0.2469F, -0.3398F}}};
  return polygon_distance(corners, p);
}

float cross(Point p) {
  static constexpr float kArm = 0.28F;
  static constexpr float kEnd = 0.95F;
  static constexpr std::array<Point, 12> corners{{{-kArm, -kEnd},
                                                  {kArm, -kEnd},
                                                  {kArm, -kArm},
                                                  {kEnd, -kArm},
                                                  {kEnd, kArm},
                                                  {kArm, kArm},
                                                  {kArm, kEnd},
                                                  {-kArm, kEnd},
                                                  {-kArm, kArm},
                                                  {-kEnd, kArm},
                                                  {-kEnd, -kArm},
                                                  {-kArm, -kArm}}};
  return polygon_distance(corners, p);
}

float ring(Point p) {
  return std::max(disc_distance({0.0F, 0.0F}, 0.92F, p), -disc_distance({0.0F, 0.0F}, 0.48F, p));
}

float crescent(Point p) {
  return std::max(disc_distance({-0.05F, 0.0F}, 0.94F, p), -disc_distance({0.38F, 0.0F}, 0.76F, p));
}

/// Two discs and the four-cornered piece between them whose lower sides touch both.
float heart(Point p) {
  static constexpr std::array<Point, 4> corners{
      {{0.0F, -0.5F}, {0.7733F, 0.0527F}, {0.0F, 0.92F}, {-0.7733F, 0.0527F}}};
  const float lobes = disc_distance({0.4F, -0.28F}, 0.5F, {std::abs(p.x), p.y});
  return std::min(lobes, polygon_distance(corners, p));
}

float arrow(Point p) {
  static constexpr std::array<Point, 7> corners{{{-0.95F, -0.22F},
                                                 {0.1F, -0.22F},
                                                 {0.1F, -0.72F},
                                                 {1.0F, 0.0F},
                                                 {0.1F, 0.72F},
                                                 {0.1F, 0.22F},
                                                 {-0.95F, 0.22F}}};
  return polygon_distance(corners, p);
}

float hourglass(Point p) {
  static constexpr std::array<Point, 6> corners{{{-0.66F, -0.74F},
                                                 {0.66F, -0.74F},
                                                 {0.1F, 0.0F},
                                                 {0.66F, 0.74F},
                                                 {-0.66F, 0.74F},
                                                 {-0.1F, 0.0F}}};
  return polygon_distance(corners, p);
}

constexpr std::array<Outline, 10> kOutlines{{{"circle", circle},
                                             {"square", square},
                                             {"triangle", triangle},
                                             {"star", star},
                                             {"cross", cross},
                                             {"ring", ring},
                                             {"crescent", crescent},
                                             {"heart", heart},
                                             {"arrow", arrow},
                                             {"hourglass", hourglass}}};

}  // namespace

std::span<const Outline> outlines() {
  return kOutlines;
}

float polygon_distance(std::span<const Point> corners, Point p) {
  float nearest = 1e12F;
  bool inside = false;
  Point a = corners.back();
  for (const Point& b : corners) {
    nearest = std::min(nearest, square_of_distance_to_segment(a, b, p));
    // Does the edge cross the ray from p to the right?
    if ((a.y > p.y) != (b.y > p.y) && p.x < a.x + (p.y - a.y) / (b.y - a.y) * (b.x - a.x)) {
      inside = !inside;
    }
    a = b;
  }
  const float distance = std::sqrt(nearest);
  return inside ? -distance : distance;
}

float stroke_distance(Point a, Point b, float radius, Point p) {
  return std::sqrt(square_of_distance_to_segment(a, b, p)) - radius;
}

}  // namespace diagrad::data
