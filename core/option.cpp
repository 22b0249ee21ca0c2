#include "diagrad/core/option.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"

namespace diagrad {
namespace {

/// Whether all of `text` is one number, which goes to `value`.
template <typename T>
bool parse(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
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

/// A bound of an integer option, which a double may not hold.
int64_t as_integer(double bound) {
  return bound >= static_cast<double>(INT64_MAX) ? INT64_MAX : static_cast<int64_t>(bound);
}

bool is_in_range(const Option& option, double value) {
  return value >= option.low && (option.below_high ? value < option.high : value <= option.high);
}

std::string_view kind_text(Option::Kind kind) {
  switch (kind) {
    case Option::Kind::integer:
      return "an integer from ";
    case Option::Kind::floating:
      return "a number from ";
    case Option::Kind::choice:
      return "one of: ";
    case Option::Kind::boolean:
    case Option::Kind::text:
      break;
  }
  return "";
}

/// The values that a text gives for an option inside `name:option=value`.
std::vector<OptionValue> values_of(std::string_view what, const Selection& selection,
                                   const Option& option, const std::string& text) {
  std::vector<OptionValue> values;
  const auto parts =
      option.is_list ? split(text, '+') : std::vector<std::string_view>{std::string_view(text)};
  for (const std::string_view part : parts) {
    try {
      values.push_back(parse_value("", option, part));
      check_value("", option, values.back());
    } catch (const Error&) {
      fail(ErrorKind::usage, "{}: {}={} of '{}' must be {}{}{}", what, option.name, text,
           selection.name, kind_text(option.kind), option.allowed(),
           option.is_list ? ", several joined by +" : "");
    }
  }
  return values;
}

}  // namespace

std::string Option::allowed() const {
  switch (kind) {
    case Kind::integer:
      return fmt::format("{} to {}", as_integer(low), as_integer(high));
    case Kind::floating:
      return fmt::format("{} to {}{}", low, below_high ? "below " : "", high);
    case Kind::boolean:
      return "true or false";
    case Kind::choice:
      return fmt::format("{}", fmt::join(choices, ", "));
    case Kind::text:
      break;
  }
  return "any text";
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

Option text_option(std::string name, std::string default_value, std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::text,
          .default_value = std::move(default_value),
          .help = std::move(help)};
}

Option int_list_option(std::string name, const std::vector<int64_t>& default_value, int64_t low,
                       int64_t high, std::string help) {
  Option option = int_option(std::move(name), 0, low, high, std::move(help));
  option.default_value = fmt::format("{}", fmt::join(default_value, "+"));
  option.is_list = true;
  return option;
}

int64_t parse_int(std::string_view where, std::string_view text) {
  int64_t value = 0;
  DG_CHECK(parse(text, value), "{}: '{}' is not an integer", where, text);
  return value;
}

double parse_float(std::string_view where, std::string_view text) {
  double value = 0.0;
  DG_CHECK(parse(text, value) && std::isfinite(value), "{}: '{}' is not a number", where, text);
  return value;
}

bool parse_bool(std::string_view where, std::string_view text) {
  const bool yes = text == "true" || text == "1" || text == "yes";
  DG_CHECK(yes || text == "false" || text == "0" || text == "no", "{}: '{}' is not true or false",
           where, text);
  return yes;
}

OptionValue parse_value(std::string_view where, const Option& option, std::string_view text) {
  switch (option.kind) {
    case Option::Kind::integer:
      return parse_int(where, text);
    case Option::Kind::floating:
      return parse_float(where, text);
    case Option::Kind::boolean:
      return parse_bool(where, text);
    case Option::Kind::choice:
    case Option::Kind::text:
      break;
  }
  return std::string(text);
}

void check_value(std::string_view where, const Option& option, const OptionValue& value) {
  if (option.kind == Option::Kind::integer) {
    const int64_t given = std::get<int64_t>(value);
    DG_CHECK(given >= as_integer(option.low) && given <= as_integer(option.high),
             "{}: {} is out of range, use {}", where, given, option.allowed());
  } else if (option.kind == Option::Kind::floating) {
    const double given = std::get<double>(value);
    DG_CHECK(is_in_range(option, given), "{}: {} is out of range, use {}", where, given,
             option.allowed());
  } else if (option.kind == Option::Kind::choice) {
    const std::string& given = std::get<std::string>(value);
    const auto& choices = option.choices;
    DG_CHECK(std::find(choices.begin(), choices.end(), given) != choices.end(),
             "{}: '{}' is unknown{} (use one of: {})", where, given, did_you_mean(given, choices),
             option.allowed());
  }
}

Selection parse_selection(std::string_view what, std::string_view text, char separator) {
  const size_t colon = text.find(':');
  Selection selection{.name = std::string(text.substr(0, colon))};
  if (colon == std::string_view::npos) return selection;
  for (const std::string_view item : split(text.substr(colon + 1), separator)) {
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos && separator == ',' && !selection.options.empty()) {
      const auto& before = selection.options.back();
      fail(ErrorKind::usage,
           "{}: '{}' in '{}' is not option=value; a list inside an option is joined by +, as in "
           "{}={}+{}",
           what, item, text, before.first, before.second, item);
    }
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
    values_.emplace(option.name,
                    Values{option.kind, option.is_list, values_of(what, selection, option, text)});
  }
}

const OptionValues::Values& OptionValues::find(std::string_view name, Option::Kind kind,
                                               bool is_list) const {
  const auto found = values_.find(name);
  DG_ASSERT(
      found != values_.end() && found->second.kind == kind && found->second.is_list == is_list,
      "option '{}' is read but not declared with this type", name);
  return found->second;
}

int64_t OptionValues::get_int(std::string_view name) const {
  return std::get<int64_t>(find(name, Option::Kind::integer, false).values.front());
}

double OptionValues::get_float(std::string_view name) const {
  return std::get<double>(find(name, Option::Kind::floating, false).values.front());
}

bool OptionValues::get_bool(std::string_view name) const {
  return std::get<bool>(find(name, Option::Kind::boolean, false).values.front());
}

const std::string& OptionValues::get_choice(std::string_view name) const {
  return std::get<std::string>(find(name, Option::Kind::choice, false).values.front());
}

const std::string& OptionValues::get_text(std::string_view name) const {
  return std::get<std::string>(find(name, Option::Kind::text, false).values.front());
}

std::vector<int64_t> OptionValues::get_ints(std::string_view name) const {
  std::vector<int64_t> all;
  for (const OptionValue& value : find(name, Option::Kind::integer, true).values) {
    all.push_back(std::get<int64_t>(value));
  }
  return all;
}

}  // namespace diagrad
