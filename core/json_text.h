#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
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

/// What a value that may come from anywhere tells, without exceptions.
/// The member `key`; null where there is none.
const nlohmann::json& json_member(const nlohmann::json& object, const char* key);
/// The member where it is a list, else an empty list.
const nlohmann::json& json_list(const nlohmann::json& object, const char* key);
/// NaN for what is no number.
double json_number(const nlohmann::json& value);
/// Empty for what is no text.
std::string json_text(const nlohmann::json& value);
/// The member where it is a count up to `most`, else 0.
int64_t json_count(const nlohmann::json& object, const char* key, int64_t most = int64_t{1} << 53);

}  // namespace diagrad
