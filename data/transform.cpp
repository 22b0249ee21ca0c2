#include "diagrad/data/transform.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"

namespace diagrad::data {
namespace {

/// In a function: other static objects may ask for it.
const std::array<Normalization, 4>& presets() {
  static const std::array<Normalization, 4> all{{
      {"cifar",
       "CIFAR as in the authors' code",
       {0.4914F, 0.4822F, 0.4465F},
       {0.2023F, 0.1994F, 0.2010F}},
      {"cifar10",
       "CIFAR-10 with the deviations measured over all pixels",
       {0.4914F, 0.4822F, 0.4465F},
       {0.2470F, 0.2435F, 0.2616F}},
      {"cifar100",
       "CIFAR-100 with its own figures",
       {0.5071F, 0.4865F, 0.4409F},
       {0.2673F, 0.2564F, 0.2762F}},
      {"half", "to [-1, 1]", {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}},
  }};
  return all;
}

}  // namespace

std::span<const Normalization> normalizations() {
  return presets();
}

const Normalization& normalization(std::string_view name) {
  std::vector<std::string> names;
  for (const Normalization& preset : presets()) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
  }
  DG_CHECK(!name.empty(),
           "normalization: no preset is named; set DatasetInfo::normalization of the data set or "
           "use --normalization (one of: {})",
           fmt::join(names, ", "));
  fail(ErrorKind::usage, "normalization: no preset '{}'{} (use one of: {})", name,
       did_you_mean(name, names), fmt::join(names, ", "));
}

std::vector<uint8_t> to_bytes(const Tensor& images, const Normalization& normalization) {
  DG_CHECK(images.rank() == 4 && images.size(3) >= 1 && images.size(3) <= 3,
           "to_bytes: images {}, expected [B,H,W,C] with 1 to 3 channels", images.shape());
  const Tensor values = images.to(DType::f64).contiguous();
  const double* value = values.data<double>();
  std::vector<uint8_t> bytes(static_cast<size_t>(values.numel()));
  const auto channels = static_cast<size_t>(images.size(3));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t c = i % channels;
    const double byte = 255.0 * (value[i] * normalization.deviation[c] + normalization.mean[c]);
    if (std::isnan(byte)) {
      fail(ErrorKind::diverged, "to_bytes: images {} hold a NaN", images.shape());
    }
    bytes[i] = static_cast<uint8_t>(std::lround(std::clamp(byte, 0.0, 255.0)));
  }
  return bytes;
}

Transform::Transform(const Shape& image, const Normalization& normalization,
                     std::vector<AugmentationStep> steps, uint64_t seed)
    : owned_(std::move(steps)), seed_(seed) {
  DG_CHECK(image.rank() == 3 && image[2] >= 1 && image[2] <= 3,
           "transform: images are {}, expected [H,W,C] with 1 to 3 channels", image);
  channels_ = image[2];
  for (const AugmentationStep& owned : owned_) {
    const Augmentation* step = owned.step.get();
    if (const auto* moves = dynamic_cast<const GeometricAugmentation*>(step)) {
      geometric_.push_back({moves, owned.first_draw});
    } else if (const auto* bytes = dynamic_cast<const ByteAugmentation*>(step)) {
      byte_.push_back({bytes, owned.first_draw});
    } else {
      const auto* values = dynamic_cast<const ValueAugmentation*>(step);
      DG_CHECK(values != nullptr, "augment: a step is of none of the three kinds");
      value_.push_back({values, owned.first_draw});
    }
  }
  for (size_t c = 0; c < table_.size(); ++c) {
    for (size_t value = 0; value < 256; ++value) {
      table_[c][value] =
          (static_cast<float>(value) / 255.0F - normalization.mean[c]) / normalization.deviation[c];
    }
  }
  if (image[0] == 0) return;
  Geometry first;
  choose({image[0], image[1]}, 0, 0, first);
}

RandomStream Transform::stream(int64_t epoch, int64_t index) const {
  return {seed_, stream_id("augment", static_cast<uint64_t>(epoch), static_cast<uint64_t>(index))};
}

void Transform::choose(const ImageSize& size, int64_t epoch, int64_t index,
                       Geometry& geometry) const {
  geometry.start(size);
  RandomStream random = stream(epoch, index);
  for (const auto& [step, first_draw] : geometric_) {
    step->check(geometry.size());
    random.set_counter(first_draw);
    geometry.add(step->draw(geometry.size(), random));
  }
  for (const auto& [step, first_draw] : byte_) step->check(geometry.size());
  for (const auto& [step, first_draw] : value_) step->check(geometry.size());
}

void Transform::apply(const uint8_t* pixels, const Geometry& geometry, int64_t epoch, int64_t index,
                      float* out) const {
  const ImageSize size = geometry.size();
  RandomStream random = stream(epoch, index);
  const std::optional<Geometry::PixelMap> whole = geometry.pixel_map();
  if (whole && byte_.empty()) {
    normalize(pixels, size, *whole, geometry.source().width, out);
  } else {
    std::vector<uint8_t> moved(static_cast<size_t>(size.height * size.width * channels_));
    geometry.move_image(pixels, channels_, moved.data());
    for (const auto& [step, first_draw] : byte_) {
      random.set_counter(first_draw);
      step->change(moved.data(), size, channels_, random);
    }
    normalize(moved.data(), size, {.bottom = size.height, .right = size.width}, size.width, out);
  }
  for (const auto& [step, first_draw] : value_) {
    random.set_counter(first_draw);
    step->change(out, size, channels_, random);
  }
}

namespace {

/// `count` pixels of C channels, each `step` bytes after the one before.
template <int64_t C, typename Table>
void normalize_pixels(const uint8_t* from, int64_t step, int64_t count, const Table& table,
                      float* out) {
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t c = 0; c < C; ++c) {
      out[i * C + c] = table[static_cast<size_t>(c)][from[i * step + c]];
    }
  }
}

}  // namespace

/// `row_length`: pixels in a row of the old image.
void Transform::normalize(const uint8_t* pixels, const ImageSize& size,
                          const Geometry::PixelMap& map, int64_t row_length, float* out) const {
  const auto write = [&](const uint8_t* from, int64_t step, int64_t count, float* to) {
    if (channels_ == 1) {
      normalize_pixels<1>(from, step, count, table_, to);
    } else if (channels_ == 2) {
      normalize_pixels<2>(from, step, count, table_, to);
    } else {
      normalize_pixels<3>(from, step, count, table_, to);
    }
  };
  const std::array<uint8_t, 3> black{};
  const int64_t step = (map.yx * row_length + map.xx) * channels_;
  for (int64_t i = 0; i < size.height; ++i) {
    float* row = out + i * size.width * channels_;
    if (i < map.top || i >= map.bottom) {
      write(black.data(), 0, size.width, row);
      continue;
    }
    const int64_t y = map.y0 + map.yy * i + map.yx * map.left;
    const int64_t x = map.x0 + map.xy * i + map.xx * map.left;
    write(black.data(), 0, map.left, row);
    write(pixels + (y * row_length + x) * channels_, step, map.right - map.left,
          row + map.left * channels_);
    write(black.data(), 0, size.width - map.right, row + map.right * channels_);
  }
}

}  // namespace diagrad::data
