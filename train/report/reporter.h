#pragma once

#include <chrono>
#include <string>

#include "diagrad/train/report/run_files.h"
#include "diagrad/train/run/job.h"
#include "diagrad/train/run/listener.h"

namespace diagrad::train {

/// Keeps run.json, blocks.json and report.html of a run folder up to date. The first error here
/// goes to `messages`; none ends a run.
class Reporter : public TrainListener {
 public:
  Reporter(const TrainJob& job, TrainListener& messages) : job_(job), messages_(messages) {}

  void on_start(const TrainStart& start) override;
  /// Where epochs are short the page is not made after each one but the first, so that it takes no
  /// more than a fiftieth of the time.
  void on_evaluation(const EpochRow& row, const Evaluation& evaluation) override;
  void on_epoch(const EpochRow& row, bool best) override;
  void on_result(const TrainResult& result) override;
  void on_end(const TrainResult& result) override;
  void on_fail(const Error& error, int64_t step) override;

 private:
  using Clock = std::chrono::steady_clock;

  void write_state();
  void write_page();
  /// Whether the page is due after an epoch.
  bool is_due(const EpochRow& row) const;
  void write_blocks(const Evaluation& evaluation, const std::string& of);
  template <typename Action>
  void attempt(Action action);

  const TrainJob& job_;
  TrainListener& messages_;
  RunState state_;
  bool warned_ = false;
  bool first_epoch_ = true;
  Clock::time_point written_ = {};
  Clock::duration cost_ = {};
};

}  // namespace diagrad::train
