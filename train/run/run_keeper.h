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

/// What a run must not lose, and how it gets it back: model, optimizer, moving average and
/// counters, in the checkpoints of its folder.
class RunKeeper {
 public:
  /// Opens the run folder. `ema` may be null. Everything given must outlive the keeper.
  RunKeeper(const TrainJob& job, const Optimizer& optimizer, const Ema* ema,
            TrainListener& listener);

  /// Restores what `options.resume` names: a file, or (auto) the newest whole checkpoint of the
  /// folder, if there is one. Changes no file. Throws Error(checkpoint) where it is damaged, of
  /// another model, or made with options that give another run, Error(usage) where the run of the
  /// folder has come further.
  void restore(int64_t batches_per_epoch);
  /// Starts the folder's files; see RunFolder::start.
  void start(bool results_stay);

  /// Saves `last`. Throws Error(diverged) instead where a value is not finite, Error(checkpoint)
  /// where it cannot be written. Does nothing when the state has just been saved.
  void save();
  /// Names the checkpoint of an epoch's end `best`, if it is, and `epoch-NNNN`, if it is wanted.
  void name_checkpoint(bool is_best);

  /// "the checkpoint of step 40 is whole", for the message that ends a run.
  std::string what_is_kept() const;

  RunFolder& folder() { return folder_; }
  int64_t resumed_at() const { return resumed_at_; }

  Progress progress;
  double lr = 0.0;  ///< of the last step

 private:
  TensorMap live() const;
  void adopt(const Checkpoint& checkpoint, const std::string& path);
  void check_options(const Checkpoint& checkpoint, const std::string& path);
  void check_data(const Checkpoint& checkpoint, const std::string& path) const;
  void check_space();
  Checkpoint snapshot() const;

  const TrainJob& job_;
  const Optimizer& optimizer_;
  const Ema* ema_;
  TrainListener& listener_;
  std::optional<Checkpoint> given_;  ///< the file that `resume` names
  std::string restored_;             ///< the path of what was restored; empty for a new run
  RunFolder folder_;
  int64_t resumed_at_ = 0;
  std::optional<Progress> saved_;
};

}  // namespace diagrad::train
