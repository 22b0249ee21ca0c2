#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/train/job.h"

namespace diagrad::cli {

/// What is to be known of a run before it begins.
struct RunPlan {
  std::string folder;
  std::string folder_state;  ///< "new", or where the run that it holds goes on
  int64_t parameters = 0;
  int64_t steps_per_epoch = 0;
  int64_t steps = 0;       ///< of all epochs
  int64_t resumed_at = 0;  ///< the step after which it goes on
};

/// Makes and changes nothing. Throws where the run would: a folder in use, a damaged checkpoint.
RunPlan plan_run(const train::TrainJob& job);

/// The plan in words, and as JSON for programs.
std::vector<std::string> plan_lines(const RunPlan& plan, const train::TrainJob& job);
std::string plan_json(const RunPlan& plan, const train::TrainJob& job);

}  // namespace diagrad::cli
