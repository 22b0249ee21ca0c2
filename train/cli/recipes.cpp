#include "diagrad/train/cli/recipes.h"

#include <fmt/format.h>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/text.h"
#include "diagrad/core/toml.h"

namespace diagrad::cli {
namespace {

/// What follows `begin` in its line; empty where no line of the comment at the top begins so.
std::string line_after(std::string_view text, std::string_view begin) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = plain_line(text.substr(0, end));
    if (line.rfind("# ", 0) != 0) break;
    if (line.rfind(begin, 0) == 0) return std::string(line.substr(begin.size()));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return {};
}

}  // namespace

std::string Recipe::help() const {
  return line_after(text, "# ");
}

std::string Recipe::reaches() const {
  return line_after(text, "# Reaches: ");
}

std::vector<Setting> Recipe::settings() const {
  return parse_toml(text, fmt::format("recipe {}", name));
}

const Recipe& find_recipe(std::string_view name) {
  std::vector<std::string> names;
  for (const Recipe& recipe : recipes()) {
    if (recipe.name == name) return recipe;
    names.emplace_back(recipe.name);
  }
  fail(ErrorKind::usage, "recipe: '{}' is unknown{} (`diagrad recipes` lists all {})", name,
       did_you_mean(name, names), names.size());
}

}  // namespace diagrad::cli
