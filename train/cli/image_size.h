#pragma once

#include <string_view>

#include "diagrad/core/shape.h"

namespace diagrad::cli {

/// Reads what --input is given, "32x32x3": height, width, channels. Throws Error(usage).
Shape parse_input(std::string_view text);

}  // namespace diagrad::cli
