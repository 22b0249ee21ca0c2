#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diagrad/core/log_file.h"
#include "diagrad/train/run/checkpoint_folder.h"
#include "diagrad/train/run/options.h"
#include "diagrad/train/tasks/metric.h"

namespace diagrad::train {

/// A row of events.jsonl.
struct StepRow {
  int64_t step = 0;   ///< counted from 1
  int64_t epoch = 0;  ///< counted from 1
  int64_t images = 0;
  MetricValues metrics = {};  ///< of the step's images, before the step; the loss as differentiated
  double lr = 0.0;
  double grad_norm = 0.0;  ///< before clipping
  double seconds = 0.0;    ///< since the run began, time between processes left out
};

/// A row of metrics.csv: training over the epoch, then the evaluation after it if there was one.
struct EpochRow {
  int64_t epoch = 0;
  int64_t step = 0;
  double lr = 0.0;
  MetricValues train = {};
  std::string eval_set = {};  ///< "test" or "validation"
  MetricValues eval = {};     ///< empty when nothing was evaluated
  MetricValues ema = {};      ///< of the averaged weights; empty when they were not evaluated
  double seconds = 0.0;
  double images_per_second = 0.0;  ///< of training alone, in this epoch and process
};

/// What the columns of metrics.csv follow from.
struct RowLayout {
  std::vector<Metric> metrics = {};  ///< of the task, "loss" first
  std::string eval_set = {};         ///< "test" or "validation"
  bool has_ema = false;

  /// "epoch,step,lr,train/loss,...,test/loss,...,test_ema/loss,...,seconds,images_per_second"
  std::string header() const;
};

class FolderLock;

/// The folder of one run: config.toml, env.json, metrics.csv, events.jsonl, result.json and
/// checkpoints/; run.json, blocks.json and report.html are the Reporter's. Held by a lock, so that
/// no two processes write to it. Throws Error(usage) for a folder that cannot be used,
/// Error(checkpoint) when writing fails later.
class RunFolder {
 public:
  /// Opens make_run_folder().
  explicit RunFolder(const Options& options);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  CheckpointFolder& checkpoints() { return checkpoints_; }

  /// Writes config.toml and env.json, and cuts the rows after `step`. result.json and blocks.json
  /// are removed unless they `stay`: there is nothing left to train, they are of this step.
  void start(const Options& options, const RowLayout& layout, int64_t step, bool stay = false);
  /// Seconds that the run had taken at `step`, from events.jsonl; 0 for a new run.
  double seconds_before() const { return seconds_before_; }
  /// Images per second of the last epoch up to `step`, from metrics.csv; 0 for a new run.
  double rate_before() const { return rate_before_; }

  void add(const StepRow& row);
  void add(const EpochRow& row);
  /// Rows must be flushed before a checkpoint that counts them is saved.
  void flush(bool to_disk = false);
  void write_result(const std::string& json_text) const;

 private:
  std::string path_;
  std::unique_ptr<FolderLock> lock_;
  CheckpointFolder checkpoints_;
  RowLayout layout_;
  std::unique_ptr<LogFile> events_;
  std::unique_ptr<LogFile> metrics_;
  double seconds_before_ = 0.0;
  double rate_before_ = 0.0;
};

/// Version, commit, compiler, processor, threads, libraries: what env.json holds, as JSON text,
/// with the run's number where it has one.
std::string environment_json(const Options& options, int64_t number = 0);
/// Of a folder in runs/: the number that it has, else one more than the largest there, so that the
/// newest run is known whatever the clock said. 0 for a folder elsewhere.
int64_t run_number(const std::string& folder);

/// The folder that a run with these options has: `out`; else a new one, runs/<date-time>-<model>-
/// <attention>-<data>. With `resume` auto and no `out`: the newest folder of that name whose run
/// has no result yet, by run_number() and for folders without one by name. With `resume` FILE and
/// no `out`: the run that the file belongs to, where it lies in the checkpoints of one. Makes
/// nothing. Throws when the folder holds a run and `resume` is not given, or is a file that is not
/// one of its checkpoints.
std::string find_run_folder(const Options& options);

/// What RunFolder checks before it changes anything. Throws Error(usage) for a folder that cannot
/// be made or written to, or that another process is writing to.
void check_run_folder(const std::string& folder);

/// The longest beginning of a path that exists; "." where none does.
std::string existing_part(const std::string& path);

/// Whether a folder has the checkpoints or the log of a run.
bool holds_run(const std::string& folder);

/// The last part of a run folder's name: `resnet20-dia-lstm-shapes`.
std::string run_name(const Options& options);
/// runs/<date-time>-<run_name>, with a number behind it where that exists. Makes nothing.
std::string new_run_folder(const Options& options);

/// find_run_folder() and new_run_folder(), made where they are missing. Of processes that choose
/// the same new name at the same moment one gets it, the others the next ones.
std::string make_run_folder(const Options& options);
std::string make_new_run_folder(const Options& options);

}  // namespace diagrad::train
