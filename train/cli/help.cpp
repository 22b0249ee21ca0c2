#include "diagrad/train/cli/help.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "diagrad/core/text.h"

namespace diagrad::cli {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kColumn = 28;  // where explanations begin

void add_wrapped(std::string& text, const std::string& words, size_t width = kWidth) {
  for (const std::string& line : wrap(words, width)) text += line + "\n";
}

/// `name`, then `words` beside it, or from the next line on where it is too long.
void add_entry(std::string& text, const std::string& name, const std::string& words) {
  std::string left = "  " + name;
  const bool beside = columns(left) + 2 <= kColumn;
  if (!beside) text += left + "\n";
  if (!beside) left.clear();
  for (const std::string& line : wrap(words, kWidth - kColumn)) {
    text += fmt::format("{:<{}}{}\n", left, kColumn, line);
    left.clear();
  }
  if (!left.empty()) text += left + "\n";
}

std::string explanation(const CLI::Option& option) {
  std::string words = option.get_description();
  if (!option.get_default_str().empty()) words += " [" + option.get_default_str() + "]";
  return words;
}

std::string usage(const CLI::App& app) {
  std::string line = app.get_name();
  for (const CLI::App* parent = app.get_parent(); parent != nullptr;
       parent = parent->get_parent()) {
    line.insert(0, parent->get_name() + " ");
  }
  if (!app.get_subcommands(nullptr).empty()) line += " COMMAND";
  line += " [options]";
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) line += " [" + option->get_name(true, false) + "]";
  }
  return line;
}

/// Words first, --help last, the others as they were declared.
std::vector<std::string> groups(const CLI::App& app) {
  std::vector<std::string> names = app.get_groups();
  const auto rank = [](const std::string& name) {
    return name == "Arguments" ? 0 : name == "Help" ? 2 : 1;
  };
  std::stable_sort(names.begin(), names.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return names;
}

}  // namespace

std::string help_text(const CLI::App& app) {
  std::string text = "Usage: " + usage(app) + "\n\n";
  add_wrapped(text, app.get_description());
  const auto commands = app.get_subcommands(nullptr);
  if (!commands.empty()) text += "\nCommands:\n";
  for (const CLI::App* command : commands) {
    add_entry(text, command->get_name(), command->get_description());
  }
  for (const std::string& group : groups(app)) {
    text += fmt::format("\n{}:\n", group);
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group() != group) continue;
      const bool word = option->get_positional();
      std::string name = option->get_name(word, true);
      if (const size_t comma = name.find(','); comma != std::string::npos)
        name.insert(comma + 1, " ");
      if (option->get_type_size() != 0 && !word) name += " " + option->get_type_name();
      add_entry(text, name, explanation(*option));
    }
  }
  if (!app.get_footer().empty()) {
    text += "\n";
    add_wrapped(text, app.get_footer());
  }
  return text;
}

}  // namespace diagrad::cli
