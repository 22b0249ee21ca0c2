#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/train/run/job.h"

namespace diagrad::cli {

/// One run of a plan: the folder that it gets or goes on in.
struct PlannedRun {
  int64_t seed = 0;
  std::string folder;
  std::string state;       ///< "new", or where the run that the folder holds goes on
  int64_t resumed_at = 0;  ///< the step after which it goes on
};

/// What is to be known of runs that differ in seed and folder alone, before they begin.
struct RunPlan {
  int64_t parameters = 0;
  int64_t frozen = 0;  ///< of them, not trained
  std::string init;    ///< what the first run begins or began with; empty: fresh weights
  int64_t steps_per_epoch = 0;
  int64_t steps = 0;  ///< of all epochs of a run
  std::vector<PlannedRun> runs;
  std::vector<std::string> notes;  ///< that the run would print
};

/// `runs` has the options of each run, `job` is the first. Makes and changes nothing. Throws where
/// a run would: a folder in use, a damaged checkpoint.
RunPlan plan_runs(const train::TrainJob& job, const std::vector<train::Options>& runs);

/// The plan in words, and as JSON for programs.
std::vector<std::string> plan_lines(const RunPlan& plan, const train::TrainJob& job);
std::string plan_json(const RunPlan& plan, const train::TrainJob& job);

}  // namespace diagrad::cli
