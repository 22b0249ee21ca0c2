#pragma once

#include <cstdint>

namespace diagrad {

/// A pair of sizes over the two axes of an image; one number stands for both.
struct Size2 {
  Size2(int64_t both) : h(both), w(both) {}  // NOLINT(google-explicit-constructor): by design
  Size2(int64_t height, int64_t width) : h(height), w(width) {}

  bool operator==(const Size2&) const = default;

  int64_t h;
  int64_t w;
};

}  // namespace diagrad
