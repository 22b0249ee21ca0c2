#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/data/dataset.h"
#include "diagrad/train/run/evaluate.h"

namespace diagrad::train {

/// An image as the page shows it: the bytes of the data set, neither normalised nor augmented.
struct SampleImage {
  Verdict verdict;
  std::string source = {};  ///< where it comes from: "test_batch.bin, record 17"
  std::string type = {};    ///< "image/png" or "image/jpeg"
  std::string base64 = {};  ///< the file of that type
  int64_t height = 0;       ///< of that file
  int64_t width = 0;
};

/// What samples.json holds: the images of a SampleChoice, and how many there were to choose from.
struct SampleImages {
  int64_t examples = 0;
  int64_t mistakes = 0;
  int64_t height = 0;  ///< of an image in the data set
  int64_t width = 0;
  std::vector<SampleImage> wrong = {};
  std::vector<SampleImage> right = {};
};

/// Reads the chosen images again, each one alone. Images of up to 48 pixels a side become PNG
/// files, as they are; larger ones are shrunk to 128 (means over areas) and become JPEG files, so
/// that 24 images take less than 250 kB. Throws what the data set throws.
SampleImages sample_images(const Evaluation& evaluation, const data::Dataset& set);

std::string samples_json(const SampleImages& samples);

/// Nothing for a file that is missing or no JSON; images with values that make no sense are
/// passed over. Throws nothing for what the file holds: whatever it is, `type` is one of the two
/// and `base64` has letters of base64 alone.
std::optional<SampleImages> read_samples(const std::string& path);

}  // namespace diagrad::train
