#pragma once

#include <optional>
#include <string>

#include "diagrad/train/run/listener.h"
#include "diagrad/train/run/options.h"

namespace diagrad::train {

/// The text of result.json.
std::string result_json(const TrainResult& result, const Options& options);

/// What a file result.json holds; `folder` and `signal` are not in it. Nothing where it is missing
/// or no such object. Throws Error(checkpoint) for one of another format.
std::optional<TrainResult> read_result(const std::string& path);

/// What result.json of a folder holds, where it is whole and a run with these options would write
/// it so.
std::optional<TrainResult> standing_result(const std::string& folder, const Options& options);

}  // namespace diagrad::train
