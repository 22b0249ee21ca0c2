#pragma once

#include <string>

#include "diagrad/train/report/run_files.h"

namespace diagrad::train {

/// report.html of a run: what was run, how it ended, the result, curves, the task's blocks, the
/// environment. One page that needs nothing else and runs no script, for light and dark screens,
/// phones and print. Whatever comes from files is escaped; parts without data are left out.
std::string run_page(const RunFiles& run);

/// The charts: one for each metric, learning rate, norm of the gradient. Empty without rows.
std::string run_charts_html(const RunFiles& run);

/// Makes report.html of a run folder from its other files. It appears whole or not at all. Throws
/// Error(checkpoint) where it cannot be written.
void write_run_page(const std::string& folder);

}  // namespace diagrad::train
