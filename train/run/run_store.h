#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diagrad/train/run/listener.h"
#include "diagrad/train/run/resume.h"
#include "diagrad/train/run/run_folder.h"
#include "diagrad/train/run/run_parts.h"

namespace diagrad::train {

/// Saves and restores the state of a run: model, optimizer, moving average and progress, in the
/// checkpoints of its folder.
class RunStore {
 public:
  /// Opens the run folder. Everything given must outlive the store.
  RunStore(const RunParts& parts, TrainListener& listener);

  /// Restores what `options.resume` names, or `options.init`, see resume(). Changes no file.
  Progress restore();
  /// Starts the folder's files; see RunFolder::start.
  void start(const Progress& progress, bool results_stay);

  /// Saves `last`. Throws Error(diverged) instead where a value is not finite, Error(checkpoint)
  /// where it cannot be written. Does nothing when this state has just been saved.
  void save(const Progress& progress);
  /// Names the checkpoint of an epoch's end `best`, if it is, and `epoch-NNNN`, if it is wanted.
  void name_checkpoint(const Progress& progress, bool is_best);

  /// "the checkpoint of step 40 is whole", for the message that ends a run.
  std::string what_is_kept() const;

  RunFolder& folder() { return folder_; }
  const RunFolder& folder() const { return folder_; }
  const RowLayout& layout() const { return layout_; }
  /// What the run began with.
  const RunBegin& begin() const { return begin_; }

 private:
  Checkpoint snapshot(const Progress& progress) const;

  const RunParts& parts_;
  const TrainJob& job_;
  TrainListener& listener_;
  RowLayout layout_;
  RunSource source_;  ///< until it is restored
  RunFolder folder_;
  RunBegin begin_;
  std::optional<Progress> saved_;
};

}  // namespace diagrad::train
