#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/nn/safetensors.h"

namespace diagrad::nn::detail {

inline constexpr int64_t kMaxSafetensorsHeader = 100'000'000;

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  ///< in the order of their bytes
  Metadata metadata;
};

/// Reads the JSON text of a header and checks it against the number of bytes that follow it.
/// Throws Error(checkpoint) whose message begins with `path`.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text,
                                           int64_t data_bytes);

/// The JSON text, padded with spaces to a multiple of eight bytes. `entries` in writing order.
std::string make_safetensors_header(const std::vector<TensorEntry>& entries,
                                    const Metadata& metadata);

}  // namespace diagrad::nn::detail
