#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/train/report/sample_file.h"
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

/// A line of config.toml; the value as written there.
struct ConfigLine {
  std::string group;
  std::string name;
  std::string value;
  bool is_usual = false;  ///< the default
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
  std::optional<SampleImages> samples;
  std::vector<std::pair<std::string, std::string>> environment;

  /// The text of an option: strings bare, lists with commas; empty where there is none.
  std::string option(const std::string& name) const;
};

RunFiles read_run_files(const std::string& folder);

/// What a file result.json tells; `folder` and `signal` are not in it. Nothing where it is missing
/// or no such object.
std::optional<TrainResult> read_result(const std::string& path);

/// The steps in stretches of equal length, at most `most` of them, each as its last row with the
/// means of loss, accuracy and norm. The last stretch may be shorter.
std::vector<StepRow> in_stretches(const std::vector<StepRow>& steps, size_t most);

}  // namespace diagrad::train
