#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/train/run/options.h"

namespace diagrad::cli {

/// One option as a user wrote it, on the command line, in a config file or in a recipe.
struct Setting {
  std::string name = {};                 ///< "weight-decay"
  std::vector<std::string> values = {};  ///< texts, not yet numbers
  bool is_list = false;    ///< written as [a, b]; else a list option reads its text as "a,b"
  std::string where = {};  ///< begins messages: "--weight-decay", "run.toml:7: weight-decay"
};

/// The names of all training options, in the order of --help.
std::vector<std::string> option_names();

/// Sets the member that the setting names. Throws Error(usage) for a name that no option has, with
/// the nearest one, and for a text that is not of its type.
void assign(train::Options& options, const Setting& setting);

/// Throw Error(usage) for other texts; `where` begins the message.
int64_t parse_int(std::string_view where, std::string_view text);
double parse_float(std::string_view where, std::string_view text);
bool parse_bool(std::string_view where, std::string_view text);

}  // namespace diagrad::cli
