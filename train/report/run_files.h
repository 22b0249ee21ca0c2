#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/train/report/block_file.h"
#include "diagrad/train/run/listener.h"

namespace diagrad::train {

/// How a run stands; what run.json holds beside what was known at its start.
enum class RunPhase { running, finished, stopped, diverged, failed };

/// run.json: written when a run begins and again when it ends, so that one that was killed still
/// says "running".
struct RunState {
  RunPhase phase = RunPhase::running;
  std::string reason = {};  ///< "max-steps", "max-time", "signal 15", or the message of an error
  int64_t epoch = 0;        ///< whole ones done; 0 until the end
  int64_t step = 0;
  std::string sharing = {};  ///< block, stage or network, also where the options leave it open
  std::vector<std::string> classes = {};
  int64_t test_images = 0;
  TrainStart start = {};
};

std::string run_json(const RunState& state);

/// An option of config.toml; the value as a user types it, items of a list joined by commas.
struct ConfigLine {
  std::string group;
  std::string name;
  std::string value;
  bool is_default = false;
};

/// What the files of a run folder tell. Missing files, damaged lines and values of the wrong type
/// are passed over; nothing here throws for what a file holds.
struct RunFiles {
  std::string folder;
  RunState state;
  std::vector<ConfigLine> config;
  std::vector<EpochRow> epochs;
  std::vector<StepRow> steps;
  std::optional<TrainResult> result;
  ShownBlocks shown;  ///< of the last evaluation
  std::vector<std::pair<std::string, std::string>> environment;

  /// The text of an option; empty where there is none.
  std::string option(const std::string& name) const;
  /// The metric that chooses the best epoch; "loss" where the files do not say.
  const Metric& primary() const { return state.start.primary; }
};

/// Throws Error(checkpoint) for a folder of another format.
RunFiles read_run_files(const std::string& folder);

/// The steps in stretches of equal length, at most `most` of them, each as its last row with the
/// means of the metrics and the norm. The last stretch may be shorter.
std::vector<StepRow> in_stretches(const std::vector<StepRow>& steps, size_t most);

}  // namespace diagrad::train
