#include "diagrad/core/option.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"

namespace diagrad {
namespace {

/// Whether all of `text` is one number, which goes to `value`.
template <typename T>
bool parse(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

bool is_yes(const std::string& text) {
  return text == "true" || text == "1" || text == "yes";
}

bool is_no(const std::string& text) {
  return text == "false" || text == "0" || text == "no";
}

const Option* find_option(const std::vector<Option>& declared, std::string_view name) {
  const auto found = std::find_if(declared.begin(), declared.end(),
                                  [&](const Option& option) { return option.name == name; });
  return found == declared.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const std::vector<Option>& declared) {
  std::vector<std::string> names;
  for (const Option& option : declared) names.push_back(option.name);
  return names;
}

/// Whether `text` is allowed for `option`; a number, or 1 for true, goes to its place.
bool parse_value(const Option& option, const std::string& text, int64_t& integer,
                 double& floating) {
  switch (option.kind) {
    case Option::Kind::integer:
      return parse(text, integer) && static_cast<double>(integer) >= option.low &&
             static_cast<double>(integer) <= option.high;
    case Option::Kind::floating:
      return parse(text, floating) && floating >= option.low && floating <= option.high;
    case Option::Kind::boolean:
      integer = is_yes(text) ? 1 : 0;
      return is_yes(text) || is_no(text);
    case Option::Kind::choice:
      break;
  }
  return std::find(option.choices.begin(), option.choices.end(), text) != option.choices.end();
}

std::string_view kind_text(Option::Kind kind) {
  switch (kind) {
    case Option::Kind::integer:
      return "an integer from ";
    case Option::Kind::floating:
      return "a number from ";
    case Option::Kind::boolean:
      return "";
    case Option::Kind::choice:
      break;
  }
  return "one of: ";
}

}  // namespace

std::string Option::allowed() const {
  switch (kind) {
    case Kind::integer:
      return fmt::format("{} to {}", static_cast<int64_t>(low), static_cast<int64_t>(high));
    case Kind::floating:
      return fmt::format("{} to {}", low, high);
    case Kind::boolean:
      return "true or false";
    case Kind::choice:
      break;
  }
  return fmt::format("{}", fmt::join(choices, ", "));
}

Option int_option(std::string name, int64_t default_value, int64_t low, int64_t high,
                  std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::integer,
          .default_value = std::to_string(default_value),
          .help = std::move(help),
          .low = static_cast<double>(low),
          .high = static_cast<double>(high)};
}

Option float_option(std::string name, double default_value, double low, double high,
                    std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::floating,
          .default_value = fmt::format("{}", default_value),
          .help = std::move(help),
          .low = low,
          .high = high};
}

Option bool_option(std::string name, bool default_value, std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::boolean,
          .default_value = default_value ? "true" : "false",
          .help = std::move(help)};
}

Option choice_option(std::string name, std::vector<std::string> choices, std::string help) {
  DG_ASSERT(!choices.empty(), "option {} has no choices", name);
  std::string default_value = choices.front();
  return {.name = std::move(name),
          .kind = Option::Kind::choice,
          .default_value = std::move(default_value),
          .help = std::move(help),
          .choices = std::move(choices)};
}

Selection parse_selection(std::string_view what, std::string_view text, char separator) {
  const size_t colon = text.find(':');
  Selection selection{.name = std::string(text.substr(0, colon))};
  if (colon == std::string_view::npos) return selection;
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t comma = rest.find(separator);
    const std::string_view item = rest.substr(0, comma);
    const size_t equals = item.find('=');
    DG_CHECK(equals != std::string_view::npos && equals > 0,
             "{}: '{}' in '{}' is not option=value, write it as {}:option=value{}option=value",
             what, item, text, selection.name, separator);
    const std::string option(item.substr(0, equals));
    constexpr size_t kMost = 100;
    DG_CHECK(selection.options.size() < kMost, "{}: '{}' is given more than {} options", what,
             selection.name, kMost);
    for (const auto& entry : selection.options) {
      DG_CHECK(entry.first != option, "{}: option {} of '{}' is given twice", what, option, text);
    }
    selection.options.emplace_back(option, item.substr(equals + 1));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return selection;
}

OptionValues::OptionValues(std::string_view what, const Selection& selection,
                           const std::vector<Option>& declared) {
  for (const auto& given : selection.options) {
    if (find_option(declared, given.first) != nullptr) continue;
    const std::vector<std::string> names = names_of(declared);
    fail(ErrorKind::usage, "{}: '{}' has no option '{}'{} ({})", what, selection.name, given.first,
         did_you_mean(given.first, names),
         names.empty() ? "it has none" : fmt::format("its options: {}", fmt::join(names, ", ")));
  }
  for (const Option& option : declared) {
    const auto given = std::find_if(selection.options.begin(), selection.options.end(),
                                    [&](const auto& entry) { return entry.first == option.name; });
    const std::string& text =
        given == selection.options.end() ? option.default_value : given->second;
    Value value{.kind = option.kind, .text = text};
    DG_CHECK(parse_value(option, text, value.integer, value.floating),
             "{}: {}={} of '{}' must be {}{}", what, option.name, text, selection.name,
             kind_text(option.kind), option.allowed());
    values_.emplace(option.name, std::move(value));
  }
}

const OptionValues::Value& OptionValues::find(std::string_view name, Option::Kind kind) const {
  const auto found = values_.find(name);
  DG_ASSERT(found != values_.end() && found->second.kind == kind,
            "option '{}' is read but not declared with this type", name);
  return found->second;
}

int64_t OptionValues::get_int(std::string_view name) const {
  return find(name, Option::Kind::integer).integer;
}

double OptionValues::get_float(std::string_view name) const {
  return find(name, Option::Kind::floating).floating;
}

bool OptionValues::get_bool(std::string_view name) const {
  return find(name, Option::Kind::boolean).integer != 0;
}

const std::string& OptionValues::get_choice(std::string_view name) const {
  return find(name, Option::Kind::choice).text;
}

}  // namespace diagrad
