#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/core/dtype.h"
#include "diagrad/core/option.h"
#include "diagrad/core/shape.h"

namespace diagrad::train {

struct GeneratorOptions {
  Shape image = {};                ///< [H,W,C], that of the training images
  std::string normalization = {};  ///< of the training images
  DType dtype = DType::f32;        ///< of the model
  uint64_t seed = 0;
  OptionValues values = {};  ///< of TaskInfo::generator_options
};

/// Makes images with a trained model. An image is a function of the model, the options and its
/// number: neither the images beside it nor the number of threads change a bit of it.
class Generator {
 public:
  virtual ~Generator() = default;
  /// Images first to first + count - 1, u8 [count,H,W,C]. Throws Error(diverged) for values that
  /// are no numbers.
  virtual std::vector<uint8_t> generate(int64_t first, int64_t count) = 0;
  /// The class that an image is made of; nothing where the model takes none, the same for all.
  virtual std::optional<int64_t> label(int64_t image) const = 0;
  /// How images are made, for people: "ddim, 50 of 1000 steps, trailing".
  virtual std::string text() const = 0;
};

}  // namespace diagrad::train
