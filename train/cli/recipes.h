#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/train/cli/setting.h"

namespace diagrad::cli {

/// A file of recipes/: a config of flat keys under a comment whose first line says what the recipe
/// is for and whose line "Reaches: ..." says what to expect of it.
struct Recipe {
  std::string_view name;  ///< the file's name without .toml
  std::string_view text;

  std::string help() const;
  std::string reaches() const;
  std::vector<Setting> settings() const;
};

/// All recipes, by name; part of the program, whatever folder it runs in.
std::span<const Recipe> recipes();
/// Throws Error(usage) with the nearest name.
const Recipe& find_recipe(std::string_view name);

}  // namespace diagrad::cli
