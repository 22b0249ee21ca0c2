#pragma once

#include <string>
#include <vector>

#include "diagrad/nn/attention/attention.h"

namespace diagrad::testing {

/// The values at which an option of a variant is tested, as a user types them: every word, both
/// flags, the lowest and the default of a number, and of a whole number the next above the default
/// that the variant takes.
std::vector<std::string> tested_values(const nn::AttentionInfo& info, const Option& option);

/// `name:option=value,...` for every combination of the values of all options. `at` and `pool` are
/// left at their default here and below.
std::vector<std::string> all_settings(const nn::AttentionInfo& info);

/// `name:option=value` for every value that is not the default, the other options at theirs.
std::vector<std::string> single_settings(const nn::AttentionInfo& info);

}  // namespace diagrad::testing
