#include "diagrad/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "diagrad/core/error.h"

namespace diagrad::train {
namespace {

/// From a at share 0 to b at share 1 along half a cosine.
double along_cosine(double a, double b, double share) {
  return b + (a - b) / 2.0 * (1.0 + std::cos(std::numbers::pi * share));
}

}  // namespace

Schedule::Schedule(const Options& options, int64_t steps_per_epoch)
    : peak_(options.learning_rate()),
      min_(options.min_lr),
      gamma_(options.gamma),
      milestones_(options.milestones),
      peak_at_(options.peak_at),
      start_(peak_ / options.start_factor),
      final_(start_ / options.final_factor),
      steps_per_epoch_(steps_per_epoch),
      steps_(options.epochs * steps_per_epoch),
      warmup_(std::llround(options.warmup * static_cast<double>(steps_per_epoch))) {
  DG_CHECK(steps_per_epoch >= 1, "schedule: {} steps per epoch", steps_per_epoch);
  const std::string& name = options.schedule;
  DG_CHECK(name == "constant" || name == "multistep" || name == "cosine" || name == "onecycle",
           "schedule: '{}' is unknown, use one of: constant, multistep, cosine, onecycle", name);
  kind_ = name == "constant"    ? Kind::constant
          : name == "multistep" ? Kind::multistep
          : name == "cosine"    ? Kind::cosine
                                : Kind::onecycle;
}

double Schedule::lr(int64_t step) const {
  step = std::min(step, steps_ - 1);
  if (kind_ == Kind::onecycle) return onecycle(static_cast<double>(step));
  if (step < warmup_) {
    return peak_ * static_cast<double>(step + 1) / static_cast<double>(warmup_ + 1);
  }
  if (kind_ == Kind::multistep) {
    const auto passed =
        std::upper_bound(milestones_.begin(), milestones_.end(), step / steps_per_epoch_) -
        milestones_.begin();
    return peak_ * std::pow(gamma_, static_cast<double>(passed));
  }
  if (kind_ == Kind::cosine) {
    return along_cosine(
        peak_, min_, static_cast<double>(step - warmup_) / static_cast<double>(steps_ - warmup_));
  }
  return peak_;
}

double Schedule::onecycle(double step) const {
  const double top = peak_at_ * static_cast<double>(steps_) - 1.0;
  const double last = static_cast<double>(steps_) - 1.0;
  if (step <= top && top > 0.0) return along_cosine(start_, peak_, step / top);
  const double from = std::max(top, 0.0);
  return last > from ? along_cosine(peak_, final_, (step - from) / (last - from)) : peak_;
}

}  // namespace diagrad::train
