#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "diagrad/train/cli/console.h"
#include "diagrad/train/run/listener.h"
#include "diagrad/train/run/options.h"

namespace diagrad::cli {

/// What the line at the bottom of the terminal shows.
struct Moment {
  int64_t epoch = 0;  ///< counted from 1
  int64_t epochs = 0;
  std::string phase = {};  ///< what is evaluated ("test"); empty: training
  int64_t done = 0;        ///< steps of the epoch, images of an evaluation
  int64_t total = 0;
  std::vector<std::string> metrics = {};  ///< of the epoch so far: "loss 1.2345", "accuracy 56.7 %"
  double images_per_second = 0.0;
  double seconds_left = 0.0;  ///< of the whole run
};

/// "epoch 3/15 [=====>    ] 142/395  loss 1.2345  accuracy 56.7 %  0:42 left  1234 images/s", with
/// as much of it as fits into width - 1 columns.
std::string progress_line(const Moment& moment, size_t width, const Console& console);

/// Shows how a run goes: a line that moves and a table of epochs on a terminal, plain lines
/// elsewhere.
class TrainProgress : public train::TrainListener {
 public:
  TrainProgress(Console& console, const train::Options& options)
      : console_(console), options_(options) {}

  void on_start(const train::TrainStart& start) override;
  void on_step(const train::StepRow& row) override;
  void on_evaluate(const std::string& set, int64_t done, int64_t total) override;
  void on_epoch(const train::EpochRow& row, bool best) override;
  void on_message(const std::string& text) override { console_.note(text); }

  /// Of the run; empty before it began.
  const std::string& folder() const { return start_.folder; }

 private:
  using Clock = std::chrono::steady_clock;

  /// A column of the table of epochs; those of small weight go where the terminal is narrow.
  struct Cell {
    std::string heading;
    std::string text;
    int weight;
  };
  std::vector<Cell> cells(const train::EpochRow& row) const;
  void print_row(const train::EpochRow& row, bool best);
  void print_plain(const train::EpochRow& row, bool best);
  /// "loss 1.2345", "accuracy 56.7 %".
  std::vector<std::string> metric_texts(const train::MetricValues& values) const;
  void begin_epoch();
  /// Redraws the moving line, or prints a plain one, when it is time to.
  void show();
  double seconds_left(int64_t step) const;

  Console& console_;
  const train::Options& options_;
  train::TrainStart start_;
  Moment moment_;
  bool has_heading_ = false;
  Clock::time_point began_ = Clock::now();
  Clock::time_point shown_ = began_;

  // Of the epoch under way, in this process.
  Clock::time_point epoch_began_ = began_;
  std::vector<double> sums_ = {};  ///< of each metric, weighted by images
  int64_t images_ = 0;
};

}  // namespace diagrad::cli
