#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diagrad {

/// One option as a user wrote it, on the command line, in a config file or in a recipe.
struct Setting {
  std::string name = {};                 ///< "weight-decay"
  std::vector<std::string> values = {};  ///< texts, not yet numbers
  bool is_list = false;    ///< written as [a, b]; else a list option reads its text as "a,b"
  std::string where = {};  ///< begins messages: "--weight-decay", "run.toml:7: weight-decay"
};

/// The settings of a config file, in its order: TOML with flat keys, whose values are texts,
/// numbers, true and false, and lists of these. Throws Error(usage) that begins with `source` and
/// the line, one line long, for everything else.
std::vector<Setting> parse_toml(std::string_view text, std::string_view source);

/// The same of a file of at most 1 MiB; also throws where it cannot be read.
std::vector<Setting> read_toml(const std::string& path);

/// Of toml++: "3.3.0".
std::string toml_library_version();

}  // namespace diagrad
