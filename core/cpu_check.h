#pragma once

#include <cstddef>

/// What a processor must offer for code of this build, checked before any such code runs: when the
/// library is loaded, and with it every program that uses it. Where something is missing, the
/// process ends with one line and exit code 6 instead of an illegal instruction.
///
/// Plain C inside: an inline function of the standard library might be the copy that another file
/// compiled for the wider instruction set.
namespace diagrad::cpu {

/// Names of what the compiler was allowed to use, as __builtin_cpu_supports spells them; ended by
/// null. Empty on processors other than x86-64.
extern const char* const kNeeded[];

/// Writes the line about the names of `needed` that are not in `present`, both ended by null, and
/// its zero byte to `line`, cut to `size` bytes. Returns how many are missing; 0: the line is
/// empty.
int describe_missing(const char* const* needed, const char* const* present, char* line,
                     size_t size);

/// The same for this build on this processor.
int describe_missing_here(char* line, size_t size);

}  // namespace diagrad::cpu
