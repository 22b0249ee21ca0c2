#pragma once

#include <string>
#include <string_view>

#include "diagrad/core/shape.h"

namespace diagrad::cli {

/// Reads what --input is given, "32x32x3": height, width, channels. Throws Error(usage).
Shape parse_input(std::string_view text);
/// The same; without a text the size that the model is meant for, 32x32x3 where it states none.
Shape input_of(std::string_view text, const std::string& model);

}  // namespace diagrad::cli
