#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diagrad/train/cli/setting.h"

namespace diagrad::cli {

/// Reads the part of TOML that options need: lines `key = value` and comments. A value is a string
/// ("with \"escapes\"" or 'as it stands'), a number, true, false, or a list of these, which may
/// span lines. Throws Error(usage), "run.toml:7: ...", for anything else: tables, keys twice, text
/// after a value, strings or lists without an end.
std::vector<Setting> parse_toml(std::string_view text, std::string_view source);

/// Reads a config file. Throws Error(usage) for one that cannot be read or exceeds 1 MiB.
std::vector<Setting> read_toml(const std::string& path);

}  // namespace diagrad::cli
