#include "diagrad/train/cli/recipes.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagrad/core/error.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/text.h"
#include "diagrad/train/run/toml.h"

namespace diagrad::cli {
namespace {

/// What follows `begin` in its line; empty where no line begins so.
std::string line_after(std::string_view text, std::string_view begin) {
  while (text.rfind("# ", 0) == 0) {
    const size_t end = std::min(text.find('\n'), text.size() - 1);
    if (text.rfind(begin, 0) == 0)
      return std::string(text.substr(begin.size(), end - begin.size()));
    text.remove_prefix(end + 1);
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
  return train::parse_toml(text, fmt::format("recipe {}", name));
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
