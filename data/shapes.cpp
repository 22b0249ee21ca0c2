#include "diagrad/data/shapes.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/core/philox.h"
#include "diagrad/core/random.h"
#include "diagrad/data/outline.h"
#include "diagrad/data/registry.h"

namespace diagrad::data {
namespace {

constexpr int64_t kMinSize = 16;
constexpr int64_t kMaxSize = 1024;
constexpr int64_t kMaxCount = 100'000'000;
constexpr int64_t kMaxSeed = 4'294'967'295;
constexpr float kPi = std::numbers::pi_v<float>;

using Colour = std::array<float, 3>;  ///< each in [0, 1]

float distance(const Colour& a, const Colour& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/// Makes one image: background, clutter, the shape, a stroke over it, noise.
class Painter {
 public:
  Painter(int64_t size, RandomStream random)
      : size_(size),
        unit_(static_cast<float>(size) / 32.0F),
        random_(random),
        pixels_(static_cast<size_t>(size * size)) {}

  void paint(int64_t label, Sample& sample) {
    background();
    for (int64_t i = 2 + random_.below(3); i > 0; --i) clutter();
    shape(label, sample);
    if (random_.below(2) == 0) stroke();
    write_with_noise(sample);
  }

 private:
  float draw(float low, float high) {
    return low + (high - low) * static_cast<float>(random_.uniform());
  }
  Point draw_point() { return {draw(0.0F, side()), draw(0.0F, side())}; }
  Colour draw_colour() { return {draw(0.0F, 1.0F), draw(0.0F, 1.0F), draw(0.0F, 1.0F)}; }
  Colour draw_shape_colour();
  float side() const { return static_cast<float>(size_); }

  void background();
  void clutter();
  void stroke();
  void shape(int64_t label, Sample& sample);
  void write_with_noise(Sample& sample);

  /// Calls visit(pixel, point, coverage) where the outline around `centre`, at most `radius` away
  /// from it, covers a part of a pixel.
  template <typename Distance, typename Visit>
  void cover(Point centre, float radius, Distance outline, Visit visit);

  int64_t size_;
  float unit_;  ///< a 32nd of the side: the look does not depend on the size
  RandomStream random_;
  std::vector<Colour> pixels_;
  Colour start_{};
  Colour end_{};
};

template <typename Distance, typename Visit>
void Painter::cover(Point centre, float radius, Distance outline, Visit visit) {
  const auto first = [](float x) { return std::max<int64_t>(static_cast<int64_t>(x) - 1, 0); };
  const auto last = [&](float x) { return std::min(static_cast<int64_t>(x) + 2, size_); };
  for (int64_t y = first(centre.y - radius); y < last(centre.y + radius); ++y) {
    for (int64_t x = first(centre.x - radius); x < last(centre.x + radius); ++x) {
      const Point p{static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
      const float coverage = std::clamp(0.5F - outline(p), 0.0F, 1.0F);
      if (coverage > 0.0F) visit(y * size_ + x, p, coverage);
    }
  }
}

void blend(Colour& pixel, const Colour& colour, float opacity) {
  for (size_t c = 0; c < 3; ++c) pixel[c] += opacity * (colour[c] - pixel[c]);
}

/// From one colour to another across the image, with waves in one direction.
void Painter::background() {
  start_ = end_ = draw_colour();
  for (float& value : end_) value = std::clamp(value + draw(-0.3F, 0.3F), 0.0F, 1.0F);
  const float angle = draw(-kPi, kPi);
  const Point slope{std::cos(angle) / side(), std::sin(angle) / side()};
  const float wave_angle = draw(-kPi, kPi);
  const float wave = 2.0F * kPi / (draw(3.0F, 12.0F) * unit_);
  const float phase = draw(-kPi, kPi);
  const float height = draw(0.0F, 0.12F);
  // sin(u + v) = sin u cos v + cos u sin v: two calls a row and column instead of one a pixel.
  std::vector<Point> column(static_cast<size_t>(size_));
  for (int64_t x = 0; x < size_; ++x) {
    const float u = static_cast<float>(x) * wave * std::cos(wave_angle) + phase;
    column[static_cast<size_t>(x)] = {height * std::sin(u), height * std::cos(u)};
  }
  for (int64_t y = 0; y < size_; ++y) {
    const float v = static_cast<float>(y) * wave * std::sin(wave_angle);
    const Point row{std::sin(v), std::cos(v)};
    const float row_share = 0.5F + (static_cast<float>(y) - side() / 2.0F) * slope.y;
    for (int64_t x = 0; x < size_; ++x) {
      const Point& u = column[static_cast<size_t>(x)];
      const float ripple = u.x * row.y + u.y * row.x;
      const float share = row_share + (static_cast<float>(x) - side() / 2.0F) * slope.x;
      Colour& pixel = pixels_[static_cast<size_t>(y * size_ + x)];
      for (size_t c = 0; c < 3; ++c) {
        pixel[c] = start_[c] + share * (end_[c] - start_[c]) + ripple;
      }
    }
  }
}

/// A stroke, or a triangle too small to be the shape.
void Painter::clutter() {
  if (random_.below(2) == 0) {
    stroke();
    return;
  }
  const Colour colour = draw_colour();
  const float radius = draw(1.5F, 3.5F) * unit_;
  const Point centre = draw_point();
  std::array<Point, 3> corners;
  for (Point& corner : corners) {
    const float angle = draw(-kPi, kPi);
    corner = {centre.x + radius * std::cos(angle), centre.y + radius * std::sin(angle)};
  }
  cover(
      centre, radius, [&](Point p) { return polygon_distance(corners, p); },
      [&](int64_t pixel, Point, float coverage) {
        blend(pixels_[static_cast<size_t>(pixel)], colour, coverage);
      });
}

void Painter::stroke() {
  const Colour colour = draw_colour();
  const Point middle = draw_point();
  const float angle = draw(-kPi, kPi);
  const float half = draw(2.0F, 9.0F) * unit_;
  const float radius = draw(0.3F, 0.8F) * unit_;
  const Point a{middle.x - half * std::cos(angle), middle.y - half * std::sin(angle)};
  const Point b{middle.x + half * std::cos(angle), middle.y + half * std::sin(angle)};
  cover(
      middle, half + radius, [&](Point p) { return stroke_distance(a, b, radius, p); },
      [&](int64_t pixel, Point, float coverage) {
        blend(pixels_[static_cast<size_t>(pixel)], colour, coverage);
      });
}

/// Any colour that stands out from the background.
Colour Painter::draw_shape_colour() {
  constexpr float kContrast = 0.5F;
  for (int attempt = 0; attempt < 16; ++attempt) {
    const Colour colour = draw_colour();
    if (distance(colour, start_) > kContrast && distance(colour, end_) > kContrast) {
      return colour;
    }
  }
  Colour opposite;
  for (size_t c = 0; c < 3; ++c) opposite[c] = start_[c] + end_[c] > 1.0F ? 0.0F : 1.0F;
  return opposite;
}

void Painter::shape(int64_t label, Sample& sample) {
  const Outline& outline = outlines()[static_cast<size_t>(label)];
  const Colour colour = draw_shape_colour();
  const float radius = draw(0.26F, 0.4F) * side();
  const Point centre{draw(radius + 1.0F, side() - radius - 1.0F),
                     draw(radius + 1.0F, side() - radius - 1.0F)};
  const float angle = draw(-0.3F, 0.3F);
  const Point turn{std::cos(angle) / radius, std::sin(angle) / radius};
  const float shade = draw(-0.15F, 0.15F);
  sample.values<int64_t>("label").push_back(label);
  std::vector<uint8_t>& mask = sample.values<uint8_t>("mask");
  mask.assign(static_cast<size_t>(size_ * size_), 0);
  std::array<float, 4> box{side(), side(), 0.0F, 0.0F};  // left, top, right, bottom
  const auto local = [&](Point p) {
    const float dx = p.x - centre.x;
    const float dy = p.y - centre.y;
    return Point{dx * turn.x + dy * turn.y, dy * turn.x - dx * turn.y};
  };
  cover(
      centre, radius, [&](Point p) { return radius * outline.distance(local(p)); },
      [&](int64_t pixel, Point p, float coverage) {
        const float light = shade * local(p).x;
        const Colour shaded{colour[0] + light, colour[1] + light, colour[2] + light};
        blend(pixels_[static_cast<size_t>(pixel)], shaded, coverage);
        if (coverage < 0.5F) return;
        mask[static_cast<size_t>(pixel)] = static_cast<uint8_t>(label + 1);
        box[0] = std::min(box[0], p.x - 0.5F);
        box[1] = std::min(box[1], p.y - 0.5F);
        box[2] = std::max(box[2], p.x + 0.5F);
        box[3] = std::max(box[3], p.y + 0.5F);
      });
  sample.values<float>("boxes").assign(box.begin(), box.end());
  sample.values<int64_t>("box_label").push_back(label);
}

/// Near-normal noise: the sum of four random bytes for each channel of each pixel.
void Painter::write_with_noise(Sample& sample) {
  constexpr float kFourBytesDeviation = 147.8F;
  const float strength = draw(0.01F, 0.06F) * 255.0F / kFourBytesDeviation;
  const uint64_t seed = random_.seed();
  const uint64_t stream = ~random_.stream();
  const auto sum_of_bytes = [](uint32_t word) {
    return (word & 255U) + ((word >> 8) & 255U) + ((word >> 16) & 255U) + (word >> 24);
  };
  std::array<std::vector<float>, 3> noise;
  for (std::vector<float>& channel : noise) channel.resize(pixels_.size());
  // Apart from the pixels, so that the compiler makes several numbers at once.
  for (size_t i = 0; i < pixels_.size(); ++i) {
    const Philox4 bits = philox4x32(seed, stream, i);
    for (size_t c = 0; c < 3; ++c) {
      noise[c][i] = strength * (static_cast<float>(sum_of_bytes(bits.word[c])) - 510.0F);
    }
  }
  for (size_t i = 0; i < pixels_.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) {
      const float value = 255.0F * pixels_[i][c] + noise[c][i];
      sample.pixels[i * 3 + c] = static_cast<uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
    }
  }
}

std::vector<TargetInfo> shapes_targets() {
  return {label_target(), mask_target("0 background, 1 + class within the shape"), boxes_target(),
          box_label_target()};
}

class Shapes : public Dataset {
 public:
  Shapes(std::string split, int64_t size, int64_t count, uint64_t seed)
      : Dataset(describe(size)), split_(std::move(split)), count_(count), seed_(seed) {}

  int64_t size() const override { return count_; }

  void read(int64_t index, Sample& sample) const override {
    DG_ASSERT(index >= 0 && index < count_, "image {} of {}", index, count_);
    sample.start(info(), info().image);
    const uint64_t stream = stream_id("shapes-" + split_, static_cast<uint64_t>(index));
    Painter(info().image[0], RandomStream(seed_, stream)).paint(label(index), sample);
  }

  int64_t label(int64_t index) const override { return index % info().class_count(); }

  std::string source(int64_t index) const override {
    return fmt::format("shapes {}, image {}", split_, index);
  }

 private:
  static DatasetInfo describe(int64_t size) {
    DatasetInfo info{.name = "shapes",
                     .image = {size, size, 3},
                     .targets = shapes_targets(),
                     .normalization = "half"};
    for (const Outline& outline : outlines()) info.classes.emplace_back(outline.name);
    return info;
  }

  std::string split_;
  int64_t count_;
  uint64_t seed_;
};

const bool registered = register_dataset(
    {.name = "shapes",
     .help = "made by the program: one of ten shapes on clutter; labels, masks and boxes",
     .targets = shapes_targets(),
     .options = {int_option("size", 32, kMinSize, kMaxSize, "height and width of the images"),
                 int_option("train", 5000, 1, kMaxCount, "training images"),
                 int_option("test", 1000, 1, kMaxCount, "test images"),
                 int_option("seed", 0, 0, kMaxSeed, "another seed makes another set")},
     .make = [](const OptionValues& options) {
       return make_shapes({.size = options.get_int("size"),
                           .train = options.get_int("train"),
                           .test = options.get_int("test"),
                           .seed = static_cast<uint64_t>(options.get_int("seed"))});
     }});

}  // namespace

DatasetSplits make_shapes(const ShapesOptions& options) {
  DG_CHECK(options.size >= kMinSize && options.size <= kMaxSize,
           "shapes: a size of {} is out of range, use {} to {}", options.size, kMinSize, kMaxSize);
  DG_CHECK(options.train >= 1 && options.test >= 1 && options.train <= kMaxCount &&
               options.test <= kMaxCount,
           "shapes: {} training and {} test images, use 1 to {} of each", options.train,
           options.test, kMaxCount);
  return {.train = std::make_shared<Shapes>("train", options.size, options.train, options.seed),
          .test = std::make_shared<Shapes>("test", options.size, options.test, options.seed)};
}

}  // namespace diagrad::data
