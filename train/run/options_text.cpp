#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/train/run/json_text.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {
namespace {

using nlohmann::json;

/// Bytes that are no UTF-8 (a file name may hold any) become U+FFFD.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Calls `write` with every option. nlohmann writes the shortest digits that read back the same.
template <typename Write>
class Writer : public OptionVisitor {
 public:
  explicit Writer(Write write) : write_(std::move(write)) {}
  void visit(const OptionInfo& info, std::string& value) override { write_(info, value); }
  void visit(const OptionInfo& info, int64_t& value) override { write_(info, value); }
  void visit(const OptionInfo& info, double& value) override { write_(info, value); }
  void visit(const OptionInfo& info, bool& value) override { write_(info, value); }
  void visit(const OptionInfo& info, std::vector<std::string>& value) override {
    write_(info, value);
  }
  void visit(const OptionInfo& info, std::vector<int64_t>& value) override { write_(info, value); }

 private:
  Write write_;
};

template <typename Write>
void write_options(const Options& options, Write write) {
  Options copy = options;
  Writer<Write> writer(std::move(write));
  visit_options(copy, writer);
}

/// Takes every option out of a JSON object; what is left over is unknown.
class Reader : public OptionVisitor {
 public:
  explicit Reader(json object) : object_(std::move(object)) {}
  void visit(const OptionInfo& info, std::string& value) override { take(info, value); }
  void visit(const OptionInfo& info, int64_t& value) override { take(info, value); }
  void visit(const OptionInfo& info, double& value) override { take(info, value); }
  void visit(const OptionInfo& info, bool& value) override { take(info, value); }
  void visit(const OptionInfo& info, std::vector<std::string>& value) override {
    take(info, value);
  }
  void visit(const OptionInfo& info, std::vector<int64_t>& value) override { take(info, value); }

  const json& rest() const { return object_; }

 private:
  /// Beyond 63 bits there are numbers without a sign; they would come out negative.
  static bool is_whole(const json& value) {
    return count_of(value, INT64_MAX) || (value.is_number_integer() && !value.is_number_unsigned());
  }
  template <typename T>
  static bool holds(const json& value) {
    if constexpr (std::is_same_v<T, std::string>) return value.is_string();
    if constexpr (std::is_same_v<T, int64_t>) return is_whole(value);
    if constexpr (std::is_same_v<T, double>) return value.is_number();
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_same_v<T, std::vector<std::string>>) return all<std::string>(value);
    if constexpr (std::is_same_v<T, std::vector<int64_t>>) return all<int64_t>(value);
  }
  template <typename T>
  static bool all(const json& values) {
    if (!values.is_array()) return false;
    for (const json& value : values) {
      if (!holds<T>(value)) return false;
    }
    return true;
  }

  template <typename T>
  void take(const OptionInfo& info, T& value) {
    const auto found = object_.find(info.name);
    if (found == object_.end()) return;
    if (!holds<T>(*found)) {
      fail(ErrorKind::checkpoint, "config: {} has a value of the wrong type ({})", info.name,
           found->type_name());
    }
    value = found->get<T>();
    object_.erase(found);
  }

  json object_;
};

std::map<std::string, std::string> lasting(const Options& options) {
  std::map<std::string, std::string> values;
  write_options(options, [&](const OptionInfo& info, const auto& value) {
    if (!info.runtime) values[info.name] = dump(value);
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
    text += fmt::format("{} = {}\n", info.name, dump(value));
  });
  return text;
}

std::string to_json(const Options& options) {
  json object = json::object();
  write_options(options, [&](const OptionInfo& info, const auto& value) {
    if (!info.runtime) object[info.name] = value;
  });
  return dump(object);
}

Options options_from_json(const std::string& text) {
  json object = parse_json(text);
  if (!object.is_object()) fail(ErrorKind::checkpoint, "config: is not a JSON object");
  Options options;
  Reader reader(std::move(object));
  visit_options(options, reader);
  if (!reader.rest().empty()) {
    fail(ErrorKind::checkpoint, "config: unknown option '{}'; was it written by a newer diagrad?",
         reader.rest().begin().key());
  }
  return options;
}

std::vector<OptionDifference> differences(const Options& there, const Options& here) {
  const auto before = lasting(there);
  const auto now = lasting(here);
  std::vector<OptionDifference> found;
  for (const auto& entry : before) {
    const std::string& value = now.at(entry.first);
    if (entry.second != value) found.push_back({entry.first, entry.second, value});
  }
  return found;
}

}  // namespace diagrad::train
