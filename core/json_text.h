#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace diagrad {

/// What texts of ours stay far below.
inline constexpr int kMostJsonDepth = 16;
inline constexpr int64_t kMostJsonValues = int64_t{1} << 21;

/// The value of a JSON text that may come from anywhere. Discarded (`is_discarded()`) for what is
/// no JSON, is nested deeper than kMostJsonDepth or holds more than kMostJsonValues values: copying
/// and writing a tree recurse, and each value takes more memory than its text.
nlohmann::json parse_json(std::string_view text);

/// `value` where it is a whole number from 0 to `most`; nothing for others, 1e300 and 2.0 included.
std::optional<int64_t> count_of(const nlohmann::json& value, int64_t most);

}  // namespace diagrad
