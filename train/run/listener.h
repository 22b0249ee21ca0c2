#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/train/run/checkpoint.h"
#include "diagrad/train/run/evaluate.h"
#include "diagrad/train/run/run_folder.h"

namespace diagrad::train {

/// What is known when a run begins.
struct TrainStart {
  std::string folder;
  int64_t parameters = 0;                   ///< shared ones once
  std::string model_sizes = {};             ///< in words; empty: the model has none
  std::vector<std::string> undecayed = {};  ///< parameters without weight decay
  int64_t frozen = 0;                       ///< of them, not trained
  InitRecord init = {};                     ///< what the run began with, also where it goes on
  int64_t epochs = 0;
  int64_t steps = 0;  ///< number of the last step of all epochs
  /// Steps of the schedule before this run's first one. Not 0 only where the run went on with other
  /// data, and so with another number of steps per epoch.
  int64_t schedule_offset = 0;
  int64_t steps_per_epoch = 0;
  std::vector<Metric> metrics;  ///< of the task, "loss" first
  Metric primary;               ///< the one that chooses the best epoch
  bool has_ema = false;         ///< averaged weights are evaluated, too
  int64_t train_images = 0;
  int64_t eval_images = 0;
  std::string eval_set;    ///< "test" or "validation"
  int64_t resumed_at = 0;  ///< the step that was restored; 0: a new run
  data::DataIdentity data = {};
  std::vector<DataChange> data_changes = {};
  bool is_done = false;  ///< nothing is left to train, and the result stands
};

/// How a run ended; what result.json holds, and more.
struct TrainResult {
  std::string folder;
  int64_t parameters = 0;
  int64_t epochs = 0;  ///< whole ones done
  int64_t steps = 0;
  double seconds = 0.0;
  /// Of training alone, in the process that trained last; where that did not live to say it, in
  /// its last epoch. 0: nothing was trained.
  double images_per_second = 0.0;
  int64_t seed = 0;
  std::string weights;     ///< which weights the figures are of: "trained" or "ema"
  std::string chosen_on;   ///< which set chose the best epoch: "test" or "validation"
  Metric primary;          ///< the one that chose the best epoch
  Evaluation last;         ///< of the last weights on the test set
  double best = 0.0;       ///< the primary metric on the test set, of the best epoch's weights
  int64_t best_epoch = 0;  ///< counted from 1; 0: no epoch was evaluated, best is last
  std::string stopped;     ///< why before the last epoch: "", "max-steps", "max-time", "signal"
  int signal = 0;          ///< the run was saved and left; `last` and `best` are empty
};

/// Hears how a run goes: the progress bar, the plain lines, the report, the tests. Called on the
/// training thread.
class TrainListener {
 public:
  virtual ~TrainListener() = default;
  virtual void on_start(const TrainStart& /*start*/) {}
  virtual void on_step(const StepRow& /*row*/) {}
  /// While a data set is evaluated.
  virtual void on_evaluate(const std::string& /*set*/, int64_t /*done*/, int64_t /*total*/) {}
  virtual void on_epoch(const EpochRow& /*row*/, bool /*best*/) {}
  /// Before that, where the epoch was evaluated: what the weights gave that choose the best epoch.
  virtual void on_evaluation(const EpochRow& /*row*/, const Evaluation& /*evaluation*/) {}
  virtual void on_save(const std::string& /*path*/, int64_t /*step*/) {}
  /// Something the user should know: one line.
  virtual void on_message(const std::string& /*text*/) {}
  /// The weights at the end were evaluated; result.json is written after this.
  virtual void on_result(const TrainResult& /*result*/) {}
  virtual void on_end(const TrainResult& /*result*/) {}
  /// The run ends with an error, after on_start; the rows so far are in the files.
  virtual void on_fail(const Error& /*error*/, int64_t /*step*/) {}
};

/// Passes everything on to several listeners, in order.
class ListenerGroup : public TrainListener {
 public:
  explicit ListenerGroup(std::vector<TrainListener*> listeners)
      : listeners_(std::move(listeners)) {}

  void on_start(const TrainStart& start) override;
  void on_step(const StepRow& row) override;
  void on_evaluate(const std::string& set, int64_t done, int64_t total) override;
  void on_epoch(const EpochRow& row, bool best) override;
  void on_evaluation(const EpochRow& row, const Evaluation& evaluation) override;
  void on_save(const std::string& path, int64_t step) override;
  void on_message(const std::string& text) override;
  void on_result(const TrainResult& result) override;
  void on_end(const TrainResult& result) override;
  void on_fail(const Error& error, int64_t step) override;

 private:
  std::vector<TrainListener*> listeners_;
};

}  // namespace diagrad::train
