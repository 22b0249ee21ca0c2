#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/core/shape.h"

namespace diagrad::testing {

/// An entry of an .npz file, as a test wants it.
struct NpzEntry {
  std::string name;   ///< "images.npy"
  std::string bytes;  ///< of the .npy file
  uint16_t method = 0;
};

/// An .npy file, version 1.0.
std::string npy_bytes(const std::string& dtype, const Shape& shape, const std::string& values,
                      bool fortran_order = false);
std::string npy_bytes(const Shape& shape, const std::vector<int64_t>& values);
/// u8 images whose every byte is a function of its place.
std::string npy_images(const Shape& shape);

/// A zip file of stored entries.
std::string npz_bytes(const std::vector<NpzEntry>& entries);
/// Images [N,H,W,C] and, where there are some, labels.
std::string npz_bytes(const Shape& images, const std::vector<int64_t>& labels);

}  // namespace diagrad::testing
