#pragma once

#include <string>
#include <vector>

#include "diagrad/train/report/run_files.h"

namespace diagrad::train {

/// `diagrad train` with the options that differ from the defaults: the same run, without any file.
std::string repeat_command(const std::vector<ConfigLine>& config);
/// The command that goes on with the run of a folder; `reason` is why it stopped: a limit that was
/// reached is lifted.
std::string resume_command(const std::string& folder, const std::string& reason);

}  // namespace diagrad::train
