#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/train/run/checkpoint_folder.h"
#include "diagrad/train/run/run_parts.h"

namespace diagrad::train {

/// Where a run begins.
struct RunBegin {
  Progress progress = {};
  std::string path = {};  ///< of the checkpoint that was restored; empty: a new run
  std::vector<DataChange> data_changes = {};
  bool has_moved = false;  ///< to other data: it stands elsewhere than the checkpoint
};

/// Hears one line that the user should know.
using Say = std::function<void(const std::string&)>;

/// The checkpoint file that `resume` names; nothing for `auto` and for a new run. Read before a
/// folder is made: a file that cannot be used leaves nothing behind.
std::optional<Checkpoint> read_given(const Options& options);

/// Restores what `options.resume` names into the live tensors of `parts`: `given`, or (auto) the
/// newest whole checkpoint of the folder, if there is one. Changes no file.
///
/// A run goes on only as it was: with the same options, runtime ones and the number of epochs
/// aside, and on the same data. On other data, with `other_data`, it goes on at the same share of
/// the same epoch, rounded down to whole steps. Where epochs or data differ, the learning rates
/// before and after are said.
///
/// Throws Error(checkpoint) where the checkpoint is damaged, of another model, of other options or,
/// without `other_data`, of other data; Error(usage) where the run of the folder has come further.
RunBegin resume(const RunParts& parts, CheckpointFolder& checkpoints,
                std::optional<Checkpoint> given, const Say& say);

/// Throws Error(checkpoint) where the disk of a run's folder has no room for what it may still have
/// to save: hours later would be a bad moment to learn of it.
void check_room(const RunParts& parts, const CheckpointFolder& checkpoints,
                const std::string& folder);

}  // namespace diagrad::train
