#pragma once

#include <cstdio>
#include <string_view>

namespace diagrad {

/// Opens those of the descriptors 0 to 2 that are closed: no file of the program can become one of
/// them. Reading standard input then finds its end, writing to standard output fails (EBADF), and
/// what is written to standard error is discarded.
void open_standard_descriptors();

/// Writes to standard output or standard error through stdio. The first failure on standard output
/// is remembered; what standard error does not take is lost.
void write_stream(std::FILE* file, std::string_view text);
void flush_stream(std::FILE* file);

/// Flushes standard output and says, as an errno, why a part of what was written to it since the
/// last call is lost; 0: nothing is.
int take_output_failure();

}  // namespace diagrad
