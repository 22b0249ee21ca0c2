#pragma once

#include <chrono>
#include <string>

#include "diagrad/train/report/run_files.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/listener.h"

namespace diagrad::train {

/// Keeps run.json, samples.json and report.html of a run folder up to date. What goes wrong here is
/// told to the listener, once, and never ends a run.
class Reporter {
 public:
  Reporter(const TrainJob& job, TrainListener& listener) : job_(job), listener_(listener) {}

  void begin(const TrainStart& start);
  /// Before it the folder may be another run's.
  bool has_begun() const { return !state_.start.folder.empty(); }
  /// After an epoch whose rows are in the files. Where epochs are short the page is not made after
  /// each one but the first, so that it takes no more than a fiftieth of the time.
  void epoch();
  /// The chosen images of the last evaluation, for the page to come: samples.json.
  void keep_samples(const Evaluation& evaluation);
  void end(const TrainResult& result);
  /// Makes the page of a run again whose files stay as they are.
  void refresh(const std::string& folder);
  /// The run ends with an error.
  void fail(RunPhase phase, const std::string& message, int64_t step);

 private:
  using Clock = std::chrono::steady_clock;

  void write_state();
  void write_page();
  template <typename Action>
  void attempt(Action action);

  const TrainJob& job_;
  TrainListener& listener_;
  RunState state_;
  bool warned_ = false;
  bool first_epoch_ = true;
  Clock::time_point written_ = {};
  Clock::duration cost_ = {};
};

}  // namespace diagrad::train
