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
bool parse_value(const Option& option, const std::string& text, int64_t& whole, double& number) {
  switch (option.kind) {
    case Option::Kind::whole:
      return parse(text, whole) && static_cast<double>(whole) >= option.low &&
             static_cast<double>(whole) <= option.high;
    case Option::Kind::number:
      return parse(text, number) && number >= option.low && number <= option.high;
    case Option::Kind::flag:
      whole = is_yes(text) ? 1 : 0;
      return is_yes(text) || is_no(text);
    case Option::Kind::word:
      break;
  }
  return std::find(option.words.begin(), option.words.end(), text) != option.words.end();
}

std::string_view kind_text(Option::Kind kind) {
  switch (kind) {
    case Option::Kind::whole:
      return "a whole number from ";
    case Option::Kind::number:
      return "a number from ";
    case Option::Kind::flag:
      return "";
    case Option::Kind::word:
      break;
  }
  return "one of: ";
}

}  // namespace

std::string Option::allowed() const {
  switch (kind) {
    case Kind::whole:
      return fmt::format("{} to {}", static_cast<int64_t>(low), static_cast<int64_t>(high));
    case Kind::number:
      return fmt::format("{} to {}", low, high);
    case Kind::flag:
      return "true or false";
    case Kind::word:
      break;
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

Option whole_option(std::string name, int64_t fallback, int64_t low, int64_t high,
                    std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::whole,
          .fallback = std::to_string(fallback),
          .help = std::move(help),
          .low = static_cast<double>(low),
          .high = static_cast<double>(high)};
}

Option number_option(std::string name, double fallback, double low, double high, std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::number,
          .fallback = fmt::format("{}", fallback),
          .help = std::move(help),
          .low = low,
          .high = high};
}

Option flag_option(std::string name, bool fallback, std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::flag,
          .fallback = fallback ? "true" : "false",
          .help = std::move(help)};
}

Option word_option(std::string name, std::vector<std::string> words, std::string help) {
  DG_ASSERT(!words.empty(), "option {} has no words", name);
  std::string fallback = words.front();
  return {.name = std::move(name),
          .kind = Option::Kind::word,
          .fallback = std::move(fallback),
          .help = std::move(help),
          .words = std::move(words)};
}

Choice parse_choice(std::string_view what, std::string_view text) {
  const size_t colon = text.find(':');
  Choice choice{.name = std::string(text.substr(0, colon))};
  if (colon == std::string_view::npos) return choice;
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const size_t equals = item.find('=');
    DG_CHECK(equals != std::string_view::npos && equals > 0,
             "{}: '{}' in '{}' is not option=value, write it as {}:option=value,option=value", what,
             item, text, choice.name);
    const std::string option(item.substr(0, equals));
    constexpr size_t kMost = 100;
    DG_CHECK(choice.options.size() < kMost, "{}: '{}' is given more than {} options", what,
             choice.name, kMost);
    for (const auto& entry : choice.options) {
      DG_CHECK(entry.first != option, "{}: option {} of '{}' is given twice", what, option, text);
    }
    choice.options.emplace_back(option, item.substr(equals + 1));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return choice;
}

OptionValues::OptionValues(std::string_view what, const Choice& choice,
                           const std::vector<Option>& declared) {
  for (const auto& given : choice.options) {
    if (find_option(declared, given.first) != nullptr) continue;
    const std::vector<std::string> names = names_of(declared);
    fail(ErrorKind::usage, "{}: '{}' has no option '{}'{} ({})", what, choice.name, given.first,
         did_you_mean(given.first, names),
         names.empty() ? "it has none" : fmt::format("its options: {}", fmt::join(names, ", ")));
  }
  for (const Option& option : declared) {
    const auto given = std::find_if(choice.options.begin(), choice.options.end(),
                                    [&](const auto& entry) { return entry.first == option.name; });
    const std::string& text = given == choice.options.end() ? option.fallback : given->second;
    Value value{.kind = option.kind, .word = text};
    DG_CHECK(parse_value(option, text, value.whole, value.number), "{}: {}={} of '{}' must be {}{}",
             what, option.name, text, choice.name, kind_text(option.kind), option.allowed());
    values_.emplace(option.name, std::move(value));
  }
}

const OptionValues::Value& OptionValues::find(std::string_view name, Option::Kind kind) const {
  const auto found = values_.find(name);
  DG_ASSERT(found != values_.end() && found->second.kind == kind,
            "option '{}' is read but not declared with this type", name);
  return found->second;
}

int64_t OptionValues::whole(std::string_view name) const {
  return find(name, Option::Kind::whole).whole;
}

double OptionValues::number(std::string_view name) const {
  return find(name, Option::Kind::number).number;
}

bool OptionValues::flag(std::string_view name) const {
  return find(name, Option::Kind::flag).whole != 0;
}

const std::string& OptionValues::word(std::string_view name) const {
  return find(name, Option::Kind::word).word;
}

}  // namespace diagrad
