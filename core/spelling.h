#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diagrad {

/// The candidate that `word` may be a slip of: at most a third of its letters left out, added,
/// replaced or swapped; or else the shortest that begins with it. Empty where none is near.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);
/// ", did you mean 'resnet20'?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace diagrad
