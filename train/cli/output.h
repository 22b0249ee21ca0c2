#pragma once

#include <cstdio>
#include <string_view>

namespace diagrad::cli {

/// Writes to standard output or standard error through stdio. The first failure on standard output
/// is remembered; what standard error does not take is lost.
void write(std::FILE* file, std::string_view text);
void flush(std::FILE* file);

/// Flushes standard output and says, as an errno, why a part of what was written to it since the
/// last call is lost; 0: nothing is.
int take_output_failure();

}  // namespace diagrad::cli
