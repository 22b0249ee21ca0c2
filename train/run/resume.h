#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/train/run/checkpoint_folder.h"
#include "diagrad/train/run/init.h"
#include "diagrad/train/run/run_parts.h"

namespace diagrad::train {

/// Where a run begins.
struct RunBegin {
  Progress progress = {};
  std::string path = {};  ///< of the checkpoint that was restored; empty: a new run
  std::vector<DataChange> data_changes = {};
  bool has_moved = false;  ///< to other data: it stands elsewhere than the checkpoint
  InitRecord init = {};
};

/// What a run begins with, where that is known before its folder is made: a file that cannot be
/// used leaves nothing behind.
struct RunSource {
  std::optional<Checkpoint> checkpoint;  ///< the file that `resume` names
  std::optional<InitWeights> init;       ///< of a run that is new; one that goes on has its own
};

/// Hears one line that the user should know.
using Say = std::function<void(const std::string&)>;

RunSource read_source(const RunParts& parts);

/// Restores what `options.resume` names into the live tensors of `parts`: the checkpoint of
/// `source`, or (auto) the newest whole one of the folder, if there is one. A new run gets the
/// weights of `options.init`. Changes no file.
///
/// A run goes on only as it was: with the same options, runtime ones and the number of epochs
/// aside, and on the same data. On other data, with `other_data`, it goes on at the same share of
/// the same epoch, rounded down to whole steps. Where epochs or data differ, the learning rates
/// before and after are said. `init` is not read again where it has the name that it had; under
/// another name it must give the same weights.
///
/// Throws Error(checkpoint) where the checkpoint is damaged, of another model, of other options or,
/// without `other_data`, of other data; Error(usage) where the run of the folder has come further.
RunBegin resume(const RunParts& parts, CheckpointFolder& checkpoints, RunSource source,
                const Say& say);

/// Throws Error(checkpoint) where the disk of a run's folder has no room for what it may still have
/// to save: hours later would be a bad moment to learn of it.
void check_room(const RunParts& parts, const CheckpointFolder& checkpoints,
                const std::string& folder);

}  // namespace diagrad::train
