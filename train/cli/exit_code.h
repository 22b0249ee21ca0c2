#pragma once

#include "diagrad/core/error.h"

namespace diagrad::cli {

/// What the program returns; docs/output.md lists what each one means.
enum ExitCode : int {
  kDone = 0,
  kUnexpected = 1,
  kUsage = 2,
  kData = 3,
  kDiverged = 4,
  kCheckpoint = 5,
  kDevice = 6,
  kSignal = 128,  ///< plus the number of the signal
};

ExitCode exit_code(ErrorKind kind);

}  // namespace diagrad::cli
