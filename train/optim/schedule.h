#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagrad/core/option.h"

namespace diagrad::train {

/// What a schedule is made with.
struct ScheduleSettings {
  double lr = 0.1;                      ///< L, the peak learning rate
  std::optional<double> momentum = {};  ///< of the optimizer; nothing: it has none
  int64_t steps = 1;                    ///< N, of all epochs
  int64_t steps_per_epoch = 1;
  int64_t warmup = 0;         ///< w, the steps of warm-up before it
  OptionValues options = {};  ///< the schedule's own, defaults filled in
};

/// The learning rate of each step, a function of the step's number alone, so that it resumes by
/// itself. Steps are counted from 0; epochs too: step s is in epoch s / steps_per_epoch.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// For warmup <= step < steps.
  virtual double lr(int64_t step) const = 0;
  /// Momentum of sgd or beta1 of adamw at the same step; nothing where the schedule leaves it
  /// alone.
  virtual std::optional<double> momentum(int64_t /*step*/) const { return std::nullopt; }
  /// The first step with the highest rate, at least warmup.
  virtual int64_t highest() const = 0;
};

/// An entry of the registry: `--schedule name:option=value,...`.
struct ScheduleInfo {
  std::string name = {};
  std::string help = {};      ///< one line, with the formula
  std::string citation = {};  ///< paper or public file
  std::vector<Option> options = {};
  bool has_warmup = true;  ///< false: `--warmup` is refused, it has a rise of its own
  /// Throws Error(usage) for settings that do not fit together.
  std::function<std::unique_ptr<Schedule>(const ScheduleSettings&)> make = {};
};

/// `const bool registered = register_schedule({...});` at namespace scope of the schedule's file.
bool register_schedule(ScheduleInfo info);
/// All schedules, in order of their names.
const std::vector<ScheduleInfo>& schedules();
/// The entry that `name:option=value,...` names. Throws Error(usage) with the names there are.
const ScheduleInfo& find_schedule(std::string_view text);

/// `--warmup`: "0.5" counts epochs, "100steps" steps.
struct Warmup {
  double epochs = 0.0;
  int64_t steps = 0;

  int64_t count(int64_t steps_per_epoch) const;
  bool is_none() const { return epochs == 0.0 && steps == 0; }
};
/// Throws Error(usage) for other texts.
Warmup parse_warmup(std::string_view text);

/// What the learning rate of a run follows from.
struct LearningRateSpec {
  std::string schedule = "constant";  ///< name:option=value,...
  std::string warmup = "0";
  double peak = 0.1;
  std::optional<double> momentum = {};  ///< of the optimizer; nothing: it has none
  int64_t epochs = 1;
  int64_t steps_per_epoch = 1;
};

/// A schedule behind its warm-up: during the first w steps, step s has the rate L (s + 1) / (w +
/// 1).
class LearningRate {
 public:
  /// Throws Error(usage) for a schedule, an option or a warm-up that does not exist or fit.
  explicit LearningRate(const LearningRateSpec& spec);

  /// Beyond the last step, that of the last one. Throws for a step below 0, as momentum() does.
  double lr(int64_t step) const;
  std::optional<double> momentum(int64_t step) const;
  int64_t steps() const { return steps_; }
  /// The first step with the highest rate.
  int64_t highest() const;

 private:
  int64_t within_run(int64_t step) const;

  double peak_;
  int64_t steps_;
  int64_t warmup_;
  std::unique_ptr<Schedule> schedule_;
};

}  // namespace diagrad::train
