#pragma once

#include <string>

#include "diagrad/train/bench/profile.h"

namespace diagrad::train {

/// The steps of a profile in Chrome's trace format, for chrome://tracing or ui.perfetto.dev: an
/// object whose `traceEvents` are complete events, {"ph":"X", "name", "cat" (the pass), "ts" and
/// "dur" in microseconds from the first event, "pid", "tid", "args":{"gflops", "gigabytes_per_s"}}.
/// A phase encloses its operations. `title` names the process.
std::string chrome_trace(const Profile& profile, const std::string& title);

}  // namespace diagrad::train
