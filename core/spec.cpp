#include "diagrad/core/spec.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "diagrad/core/error.h"

namespace diagrad {
namespace {

/// Whether all of `text` is one number, which goes to `value`.
template <typename T>
bool parse(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

}  // namespace

Spec::Spec(std::string_view what, std::string_view text) : what_(what) {
  const size_t colon = text.find(':');
  name_ = text.substr(0, colon);
  if (colon == std::string_view::npos) return;
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const size_t equals = item.find('=');
    DG_CHECK(equals != std::string_view::npos && equals > 0,
             "{}: '{}' in '{}' is not option=value, write it as {}:option=value,option=value",
             what_, item, text, name_);
    const std::string option(item.substr(0, equals));
    for (const auto& entry : options_) {
      DG_CHECK(entry.first != option, "{}: option {} of '{}' is given twice", what_, option, text);
    }
    options_.emplace_back(option, item.substr(equals + 1));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
}

const std::string* Spec::take(std::string_view option) {
  if (std::find(known_.begin(), known_.end(), option) == known_.end()) known_.emplace_back(option);
  for (const auto& entry : options_) {
    if (entry.first == option) return &entry.second;
  }
  return nullptr;
}

std::string Spec::text(std::string_view option, std::string_view fallback) {
  const std::string* given = take(option);
  return given != nullptr ? *given : std::string(fallback);
}

int64_t Spec::whole(std::string_view option, int64_t fallback, int64_t low, int64_t high) {
  const std::string* given = take(option);
  if (given == nullptr) return fallback;
  int64_t value = 0;
  DG_CHECK(parse(*given, value) && value >= low && value <= high,
           "{}: {}={} of '{}' must be a whole number from {} to {}", what_, option, *given, name_,
           low, high);
  return value;
}

double Spec::number(std::string_view option, double fallback, double low, double high) {
  const std::string* given = take(option);
  if (given == nullptr) return fallback;
  double value = 0.0;
  DG_CHECK(parse(*given, value) && value >= low && value <= high,
           "{}: {}={} of '{}' must be a number from {} to {}", what_, option, *given, name_, low,
           high);
  return value;
}

bool Spec::flag(std::string_view option, bool fallback) {
  const std::string* given = take(option);
  if (given == nullptr) return fallback;
  const bool yes = *given == "true" || *given == "1" || *given == "yes";
  const bool no = *given == "false" || *given == "0" || *given == "no";
  DG_CHECK(yes || no, "{}: {}={} of '{}' must be true or false", what_, option, *given, name_);
  return yes;
}

void Spec::finish() const {
  for (const auto& entry : options_) {
    DG_CHECK(std::find(known_.begin(), known_.end(), entry.first) != known_.end(),
             "{}: '{}' has no option '{}', its options are: {}", what_, name_, entry.first,
             known_.empty() ? "none" : fmt::format("{}", fmt::join(known_, ", ")));
  }
}

}  // namespace diagrad
