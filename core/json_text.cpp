#include "diagrad/core/json_text.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace diagrad {
namespace {

using nlohmann::json;

/// Whether depth and number of values are within bounds; true for some texts that are no JSON.
bool is_moderate(std::string_view text) {
  int depth = 0;
  int64_t values = 1;
  bool in_string = false;
  for (size_t place = 0; place < text.size(); ++place) {
    const char c = text[place];
    if (in_string) {
      if (c == '\\') ++place;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++values;
      if (++depth > kMostJsonDepth) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',') {
      ++values;
    }
    if (values > kMostJsonValues) return false;
  }
  return true;
}

}  // namespace

json parse_json(std::string_view text) {
  if (!is_moderate(text)) return json(json::value_t::discarded);
  return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::optional<int64_t> count_of(const json& value, int64_t most) {
  if (!value.is_number_integer()) return std::nullopt;
  if (!value.is_number_unsigned() && value.get<int64_t>() < 0) return std::nullopt;
  const auto count = value.get<uint64_t>();
  if (count > static_cast<uint64_t>(most)) return std::nullopt;
  return static_cast<int64_t>(count);
}

const json& json_member(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found != object.end() ? *found : nothing;
}

const json& json_list(const json& object, const char* key) {
  static const json empty = json::array();
  const json& value = json_member(object, key);
  return value.is_array() ? value : empty;
}

double json_number(const json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string json_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}

int64_t json_count(const json& object, const char* key, int64_t most) {
  return count_of(json_member(object, key), most).value_or(0);
}

}  // namespace diagrad
