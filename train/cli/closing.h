#pragma once

#include <string>
#include <vector>

#include "diagrad/train/run/options.h"
#include "diagrad/train/run/trainer.h"

namespace diagrad::cli {

/// What `train` says at its end: the primary metric and what it is of, where report and checkpoints
/// lie, and what to do next.
std::vector<std::string> closing_lines(const train::TrainResult& result,
                                       const train::Options& options);

}  // namespace diagrad::cli
