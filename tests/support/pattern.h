#pragma once

#include <string>
#include <vector>

namespace diagrad::testing {

// Regular expressions (std::regex), behind a light header: <regex> costs seconds in every file.

/// Whether all of the text matches the pattern.
bool matches(const std::string& text, const std::string& pattern);
/// Whether some part of it does.
bool contains_match(const std::string& text, const std::string& pattern);
/// For each part that does, the whole of it and then its groups.
std::vector<std::vector<std::string>> all_matches(const std::string& text,
                                                  const std::string& pattern);

}  // namespace diagrad::testing
