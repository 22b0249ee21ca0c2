#pragma once

#include <cstdint>
#include <string>

namespace diagrad::train {

/// The number of the format of checkpoints and of a run folder's JSON files (docs/output.md).
constexpr int64_t kFormat = 2;

/// `format` is the text of a file's number. Throws Error(checkpoint) for another one than kFormat,
/// saying whether the file is older or newer; the name of the file is added by the caller.
void check_format(const std::string& format);

}  // namespace diagrad::train
