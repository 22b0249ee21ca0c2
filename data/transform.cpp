#include "diagrad/data/transform.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/random.h"
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
  fail(ErrorKind::usage, "normalization: no preset '{}'{} (use one of: {})", name,
       did_you_mean(name, names), fmt::join(names, ", "));
}

Transform::Transform(const Shape& image, const Normalization& normalization,
                     const Augmentation& augmentation, uint64_t seed)
    : augmentation_(augmentation), seed_(seed) {
  DG_CHECK(image.rank() == 3 && image[2] >= 1 && image[2] <= 3,
           "transform: images are {}, expected [H,W,C] with 1 to 3 channels", image);
  height_ = image[0];
  width_ = image[1];
  channels_ = image[2];
  const int64_t side = std::min(height_, width_);
  DG_CHECK(augmentation.pad_crop >= 0 && augmentation.pad_crop < side,
           "augment: a crop border of {} does not fit images of {}x{}, use 0 to {}",
           augmentation.pad_crop, height_, width_, side - 1);
  DG_CHECK(augmentation.cutout >= 0 && augmentation.cutout <= side,
           "augment: a cutout of {} does not fit images of {}x{}, use 0 to {}", augmentation.cutout,
           height_, width_, side);
  for (size_t c = 0; c < table_.size(); ++c) {
    for (size_t value = 0; value < 256; ++value) {
      table_[c][value] =
          (static_cast<float>(value) / 255.0F - normalization.mean[c]) / normalization.deviation[c];
    }
  }
}

AugmentChoice Transform::choose(int64_t epoch, int64_t index) const {
  // Every choice is drawn whether or not it is in use, so that switching one on or off leaves the
  // others as they are.
  RandomStream random(
      seed_, stream_id("augment", static_cast<uint64_t>(epoch), static_cast<uint64_t>(index)));
  AugmentChoice choice;
  const int64_t places = 2 * augmentation_.pad_crop + 1;
  choice.shift_y = random.below(places) - augmentation_.pad_crop;
  choice.shift_x = random.below(places) - augmentation_.pad_crop;
  const bool heads = random.below(2) == 1;
  choice.flip = augmentation_.flip && heads;
  choice.cut_y = random.below(height_);
  choice.cut_x = random.below(width_);
  return choice;
}

void Transform::apply(const uint8_t* pixels, const AugmentChoice& choice, float* out) const {
  for (int64_t y = 0; y < height_; ++y) {
    write_row(pixels, choice, y, out + y * width_ * channels_);
  }
  if (augmentation_.cutout > 0) cut(choice, out);
}

void Transform::write_row(const uint8_t* pixels, const AugmentChoice& choice, int64_t y,
                          float* out) const {
  const int64_t source_y = y + choice.shift_y;
  const bool row_inside = source_y >= 0 && source_y < height_;
  const uint8_t* row = row_inside ? pixels + source_y * width_ * channels_ : nullptr;
  for (int64_t x = 0; x < width_; ++x) {
    // The crop comes first: a flipped image reads the cropped one from its right end.
    const int64_t source_x = (choice.flip ? width_ - 1 - x : x) + choice.shift_x;
    const bool inside = row_inside && source_x >= 0 && source_x < width_;
    for (int64_t c = 0; c < channels_; ++c) {
      const uint8_t value = inside ? row[source_x * channels_ + c] : uint8_t{0};
      out[x * channels_ + c] = table_[static_cast<size_t>(c)][value];
    }
  }
}

void Transform::cut(const AugmentChoice& choice, float* out) const {
  const int64_t half = augmentation_.cutout / 2;
  const int64_t top = std::max<int64_t>(choice.cut_y - half, 0);
  const int64_t bottom = std::min(choice.cut_y - half + augmentation_.cutout, height_);
  const int64_t left = std::max<int64_t>(choice.cut_x - half, 0);
  const int64_t right = std::min(choice.cut_x - half + augmentation_.cutout, width_);
  for (int64_t y = top; y < bottom; ++y) {
    float* row = out + (y * width_ + left) * channels_;
    std::fill(row, row + (right - left) * channels_, 0.0F);
  }
}

}  // namespace diagrad::data
