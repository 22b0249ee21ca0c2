#include "diagrad/train/optim/schedule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/core/registry.h"

namespace diagrad::train {
namespace {

Registry<ScheduleInfo>& registry() {
  static Registry<ScheduleInfo> all("schedule");
  return all;
}

/// The number at the beginning of a text, and what follows it.
template <typename T>
bool parse_front(std::string_view text, T& value, std::string_view& rest) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  rest = text.substr(static_cast<size_t>(stop - text.data()));
  return problem == std::errc();
}

}  // namespace

bool register_schedule(ScheduleInfo info) {
  return registry().add(std::move(info));
}

const std::vector<ScheduleInfo>& schedules() {
  return registry().all();
}

const ScheduleInfo& find_schedule(std::string_view text) {
  return registry().find(parse_selection("schedule", text).name);
}

int64_t Warmup::count(int64_t steps_per_epoch) const {
  return steps > 0 ? steps : std::llround(epochs * static_cast<double>(steps_per_epoch));
}

Warmup parse_warmup(std::string_view text) {
  constexpr int64_t kMost = 1'000'000'000'000;
  Warmup warmup;
  std::string_view rest;
  if (parse_front(text, warmup.steps, rest) && rest == "steps") {
    DG_CHECK(warmup.steps >= 0 && warmup.steps <= kMost, "warmup: {} is out of range, use 0 to {}",
             text, kMost);
    return warmup;
  }
  warmup.steps = 0;
  const bool is_number = parse_front(text, warmup.epochs, rest) && rest.empty();
  DG_CHECK(is_number && std::isfinite(warmup.epochs) && warmup.epochs >= 0.0,
           "warmup: '{}' is neither epochs, such as 0.5, nor steps, such as 100steps", text);
  return warmup;
}

LearningRate::LearningRate(const LearningRateSpec& spec)
    : peak_(spec.peak), steps_(spec.epochs * spec.steps_per_epoch) {
  DG_CHECK(spec.epochs >= 1 && spec.steps_per_epoch >= 1,
           "schedule: {} epochs of {} steps; both must be at least 1", spec.epochs,
           spec.steps_per_epoch);
  const ScheduleInfo& info = find_schedule(spec.schedule);
  const Warmup warmup = parse_warmup(spec.warmup);
  DG_CHECK(info.has_warmup || warmup.is_none(),
           "warmup: {} beside schedule {}, which has a rise of its own; leave --warmup out",
           spec.warmup, info.name);
  DG_CHECK(warmup.epochs <= static_cast<double>(spec.epochs),
           "warmup: {} epochs are more than the {} of the run", spec.warmup, spec.epochs);
  warmup_ = warmup.count(spec.steps_per_epoch);
  ScheduleSettings settings;
  settings.lr = spec.peak;
  settings.momentum = spec.momentum;
  settings.steps = steps_;
  settings.steps_per_epoch = spec.steps_per_epoch;
  settings.warmup = warmup_;
  settings.options =
      OptionValues("schedule", parse_selection("schedule", spec.schedule), info.options);
  schedule_ = info.make(settings);
}

int64_t LearningRate::within_run(int64_t step) const {
  DG_CHECK(step >= 0, "schedule: step {}; steps are counted from 0", step);
  return std::min(step, steps_ - 1);
}

double LearningRate::lr(int64_t step) const {
  step = within_run(step);
  if (step < warmup_) {
    return peak_ * static_cast<double>(step + 1) / static_cast<double>(warmup_ + 1);
  }
  return schedule_->lr(step);
}

std::optional<double> LearningRate::momentum(int64_t step) const {
  return schedule_->momentum(within_run(step));
}

int64_t LearningRate::highest() const {
  // The rate rises all through the warm-up; a schedule may have fallen below its end by then.
  const int64_t last = steps_ - 1;
  const int64_t risen = std::clamp<int64_t>(warmup_ - 1, 0, last);
  const int64_t top = warmup_ < steps_ ? std::min(schedule_->highest(), last) : risen;
  return lr(top) > lr(risen) ? top : risen;
}

}  // namespace diagrad::train
