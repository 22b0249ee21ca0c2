#include <fmt/format.h>

#include <algorithm>

#include <map>
#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/json_text.h"
#include "diagrad/core/text.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

/// The value as JSON and TOML hold it: a path may be any bytes, texts of theirs are UTF-8.
template <typename T>
json json_of(const T& value) {
  return value;
}
json json_of(const std::string& value) {
  return bytes_to_utf8(value);
}
json json_of(const std::vector<std::string>& values) {
  json list = json::array();
  for (const std::string& value : values) list.push_back(bytes_to_utf8(value));
  return list;
}

/// A text of JSON that is one of TOML, too, where U+007F has to be escaped.
std::string dump(const json& value) {
  std::string text = value.dump();
  for (size_t place = text.find('\x7F'); place != std::string::npos; place = text.find('\x7F')) {
    text.replace(place, 1, "\\u007f");
  }
  return text;
}

/// Calls `write` with every option that has a value. nlohmann writes the shortest digits that read
/// back the same.
template <typename Write>
void write_options(const Options& options, Write write) {
  for (const OptionInfo& info : option_table()) {
    std::visit(
        [&](auto member) {
          const auto& value = options.*member;
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::optional<double>>) {
            if (value) write(info, *value);
          } else {
            write(info, value);
          }
        },
        info.member);
  }
}

/// Beyond 63 bits there are numbers without a sign; they would come out negative.
bool is_int64(const json& value) {
  return count_of(value, INT64_MAX) || (value.is_number_integer() && !value.is_number_unsigned());
}

template <typename T>
bool holds(const json& value) {
  if constexpr (std::is_same_v<T, std::string>) return value.is_string();
  if constexpr (std::is_same_v<T, int64_t>) return is_int64(value);
  if constexpr (std::is_same_v<T, double>) return value.is_number();
  if constexpr (std::is_same_v<T, std::optional<double>>) return value.is_number();
  if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
  if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return value.is_array() && std::all_of(value.begin(), value.end(),
                                           [](const json& item) { return item.is_string(); });
  }
}

/// Takes an option out of a JSON object, if it is there.
void take(json& object, const OptionInfo& info, Options& options) {
  const std::string& name = info.option.name;
  const auto found = object.find(name);
  if (found == object.end()) return;
  std::visit(
      [&](auto member) {
        auto& value = options.*member;
        using T = std::decay_t<decltype(value)>;
        if (!holds<T>(*found)) {
          fail(ErrorKind::checkpoint, "config: {} has a value of the wrong type ({})", name,
               found->type_name());
        }
        if constexpr (std::is_same_v<T, std::optional<double>>) {
          value = found->template get<double>();
        } else {
          value = found->template get<T>();
        }
        if constexpr (std::is_same_v<T, std::string>) value = utf8_to_bytes(value);
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          for (std::string& text : value) text = utf8_to_bytes(text);
        }
      },
      info.member);
  object.erase(found);
}

std::map<std::string, std::string> lasting(const Options& options) {
  std::map<std::string, std::string> values;
  write_options(options, [&](const OptionInfo& info, const auto& value) {
    if (!info.runtime) values[info.option.name] = dump(json_of(value));
  });
  return values;
}

}  // namespace

std::string to_toml(const Options& options) {
  std::string text;
  std::string group;
  write_options(options, [&](const OptionInfo& info, const auto& value) {
    if (group != info.group) {
      text += fmt::format("{}# {}\n", text.empty() ? "" : "\n", info.group);
      group = info.group;
    }
    text += fmt::format("{} = {}\n", info.option.name, dump(json_of(value)));
  });
  return text;
}

std::string to_json(const Options& options) {
  json object = json::object();
  write_options(options, [&](const OptionInfo& info, const auto& value) {
    if (!info.runtime) object[info.option.name] = json_of(value);
  });
  return dump(object);
}

Options options_from_json(const std::string& text) {
  json object = parse_json(text);
  if (!object.is_object()) fail(ErrorKind::checkpoint, "config: is not a JSON object");
  Options options;
  for (const OptionInfo& info : option_table()) take(object, info, options);
  if (!object.empty()) {
    fail(ErrorKind::checkpoint, "config: unknown option '{}'; was it written by a newer diagrad?",
         object.begin().key());
  }
  return options;
}

std::vector<OptionDifference> differences(const Options& there, const Options& here) {
  constexpr const char* kNone = "none";
  auto before = lasting(there);
  auto now = lasting(here);
  std::vector<OptionDifference> found;
  for (const OptionInfo& info : option_table()) {
    const std::string& name = info.option.name;
    const std::string old_value = before.count(name) > 0 ? before[name] : kNone;
    const std::string new_value = now.count(name) > 0 ? now[name] : kNone;
    if (old_value != new_value) found.push_back({name, old_value, new_value});
  }
  return found;
}

}  // namespace diagrad::train
