#include "diagrad/train/cli/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/text.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/run/format.h"

namespace diagrad::cli {
namespace {

constexpr size_t kWidth = 80;

std::string to_json(const std::string& plural, const std::vector<Listed>& entries) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Listed& entry : entries) {
    nlohmann::ordered_json object = {{"name", entry.name}, {"help", entry.help}};
    for (const auto& fact : entry.facts) object[fact.first] = fact.second;
    object["options"] = nlohmann::ordered_json::array();
    for (const Option& option : entry.options) {
      object["options"].push_back({{"name", option.name},
                                   {"default", option.default_value},
                                   {"allowed", option.allowed()},
                                   {"help", option.help}});
    }
    all.push_back(std::move(object));
  }
  const nlohmann::ordered_json result = {{"format", train::kFormat}, {plural, std::move(all)}};
  return result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// `left` in a column of `column`, then `words`, wrapped beside it.
void print_entry(Console& console, const std::string& left, size_t column,
                 const std::string& words) {
  std::string begin = left;
  for (const std::string& line : wrap(words, kWidth - column)) {
    console.line(fmt::format("{:<{}}{}", begin, column, line));
    begin.clear();
  }
  if (!begin.empty()) console.line(begin);
}

void print_all(Console& console, const std::vector<Listed>& entries) {
  size_t column = 12;
  for (const Listed& entry : entries) column = std::max(column, columns(entry.name) + 2);
  const bool narrow = column > kWidth / 2;
  if (narrow) column = 4;
  for (const Listed& entry : entries) {
    if (narrow) console.line(entry.name);
    print_entry(console, narrow ? "" : entry.name, column, entry.help);
  }
}

}  // namespace

void ListCommand::declare(Arguments& arguments) {
  arguments.positional({"NAME", "", "", "the one to show all of, or a part of names"}, name_);
  arguments.flag({"json", "", "", "print JSON for programs"}, json_);
}

int ListCommand::run() {
  std::vector<Listed> entries = list();
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Listed& a, const Listed& b) { return comes_before(a.name, b.name); });
  std::vector<std::string> names;
  for (const Listed& entry : entries) names.push_back(entry.name);
  const auto exact = std::find(names.begin(), names.end(), name_);
  const bool one = exact != names.end();
  const auto differs = [&](const Listed& entry) {
    return one ? entry.name != name_ : entry.name.find(name_) == std::string::npos;
  };
  entries.erase(std::remove_if(entries.begin(), entries.end(), differs), entries.end());
  DG_CHECK(!entries.empty() || name_.empty(),
           "{}: none is called '{}'{} (leave the name out to see all {})", plural_, name_,
           did_you_mean(name_, names), names.size());
  Console console(false, json_);
  if (json_) {
    console.json(to_json(plural_, entries));
  } else if (one) {
    show(console, entries.front());
  } else {
    print_all(console, entries);
    console.line("");
    console.line(fmt::format("`diagrad {} NAME` shows all there is to one of them.", plural_));
  }
  return kDone;
}

void ListCommand::show(Console& console, const Listed& entry) const {
  console.line(console.styled(Style::bold, entry.name));
  for (const std::string& line : wrap(entry.help, kWidth - 2)) console.line("  " + line);
  size_t column = 12;
  for (const auto& fact : entry.facts) column = std::max(column, fact.first.size() + 2);
  for (const auto& fact : entry.facts) {
    print_entry(console, "  " + fact.first, column + 2, printable(fact.second));
  }
  if (entry.options.empty()) return;
  console.line("");
  console.line("Options:");
  for (const Option& option : entry.options) {
    column = std::max(column, option.name.size() + option.default_value.size() + 3);
  }
  for (const Option& option : entry.options) {
    print_entry(console, fmt::format("  {}={}", option.name, option.default_value), column + 2,
                fmt::format("{} ({})", option.help, option.allowed()));
  }
}

}  // namespace diagrad::cli
