#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diagrad/train/optim/ema.h"
#include "diagrad/train/optim/optimizer.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/listener.h"
#include "diagrad/train/run/run_folder.h"

namespace diagrad::train {

/// Saves and restores the state of a run: model, optimizer, moving average and progress, in the
/// checkpoints of its folder.
class RunStore {
 public:
  /// Opens the run folder. `ema` may be null. Everything given must outlive the store.
  RunStore(const TrainJob& job, const Optimizer& optimizer, const Ema* ema,
           TrainListener& listener);

  /// Restores what `options.resume` names: a file, or (auto) the newest whole checkpoint of the
  /// folder, if there is one. Changes no file. Throws Error(checkpoint) where it is damaged, of
  /// another model, or made with options that give another run, Error(usage) where the run of the
  /// folder has come further.
  Progress restore(int64_t batches_per_epoch);
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
  int64_t resumed_at() const { return resumed_at_; }

 private:
  TensorMap live() const;
  Progress adopt(const Checkpoint& checkpoint, const std::string& path);
  void check_options(const Checkpoint& checkpoint, const std::string& path);
  void check_data(const Checkpoint& checkpoint, const std::string& path) const;
  void check_sums(const Checkpoint& checkpoint, const std::string& path) const;
  void check_space();
  Checkpoint snapshot(const Progress& progress) const;

  const TrainJob& job_;
  const Optimizer& optimizer_;
  const Ema* ema_;
  TrainListener& listener_;
  RowLayout layout_;
  std::optional<Checkpoint> given_;  ///< the file that `resume` names
  std::string restored_;             ///< the path of what was restored; empty for a new run
  RunFolder folder_;
  int64_t resumed_at_ = 0;
  std::optional<Progress> saved_;
};

}  // namespace diagrad::train
