#include "diagrad/train/optim/schedule.h"

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
      cycle_momentum_(options.cycle_momentum),
      base_momentum_(options.base_momentum),
      max_momentum_(options.max_momentum),
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
  if (kind_ == Kind::onecycle) {
    return onecycle(static_cast<double>(step), start_, peak_, final_);
  }
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

std::optional<double> Schedule::momentum(int64_t step) const {
  if (kind_ != Kind::onecycle || !cycle_momentum_) return std::nullopt;
  return onecycle(static_cast<double>(std::min(step, steps_ - 1)), max_momentum_, base_momentum_,
                  max_momentum_);
}

int64_t Schedule::highest() const {
  // The rate rises up to the end of the warm-up or to the top of onecycle, and nowhere else.
  const auto top =
      static_cast<int64_t>(std::max(0.0, peak_at_ * static_cast<double>(steps_) - 1.0));
  int64_t best = 0;
  for (const int64_t turn : {warmup_ - 1, warmup_, top, top + 1}) {
    const int64_t step = std::clamp<int64_t>(turn, 0, steps_ - 1);
    if (lr(step) > lr(best)) best = step;
  }
  return best;
}

double Schedule::onecycle(double step, double start, double peak, double end) const {
  const double top = peak_at_ * static_cast<double>(steps_) - 1.0;
  const double last = static_cast<double>(steps_) - 1.0;
  if (step <= top && top > 0.0) return along_cosine(start, peak, step / top);
  const double from = std::max(top, 0.0);
  return last > from ? along_cosine(peak, end, (step - from) / (last - from)) : peak;
}

}  // namespace diagrad::train
