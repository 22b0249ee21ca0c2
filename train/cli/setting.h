#pragma once

#include <string>
#include <vector>

#include "diagrad/core/toml.h"
#include "diagrad/train/run/options.h"

namespace diagrad::cli {

/// The names of all training options, in the order of --help.
std::vector<std::string> option_names();

/// Sets the member that the setting names. Throws Error(usage) for a name that no option has, with
/// the nearest one, and for a text that is not of its type.
void assign(train::Options& options, const Setting& setting);

}  // namespace diagrad::cli
