#include <algorithm>
#include <cmath>
#include <numbers>

#include "diagrad/core/error.h"
#include "diagrad/train/optim/schedule.h"

namespace diagrad::train {
namespace {

/// From a at share 0 to b at share 1 along half a cosine.
double along_cosine(double a, double b, double share) {
  return b + (a - b) / 2.0 * (1.0 + std::cos(std::numbers::pi * share));
}

/// PyTorch's OneCycleLR: cosine from L / start_factor up to L at step peak_at N - 1, then down to
/// L / start_factor / final_factor at the last step; the momentum goes the other way, from
/// max_momentum to base_momentum and back.
class OneCycle : public Schedule {
 public:
  explicit OneCycle(const ScheduleSettings& settings)
      : lr_(settings.lr),
        start_(lr_ / settings.options.get_float("start-factor")),
        final_(start_ / settings.options.get_float("final-factor")),
        steps_(settings.steps),
        top_(settings.options.get_float("peak-at") * static_cast<double>(settings.steps) - 1.0),
        cycle_momentum_(settings.options.get_bool("cycle-momentum")),
        base_momentum_(settings.options.get_float("base-momentum")),
        max_momentum_(settings.options.get_float("max-momentum")) {
    DG_CHECK(base_momentum_ <= max_momentum_,
             "schedule: base-momentum={} of 'onecycle' is above max-momentum={}", base_momentum_,
             max_momentum_);
    const bool moves = cycle_momentum_ && settings.momentum.has_value();
    DG_CHECK(!moves || (*settings.momentum > 0.0 && base_momentum_ > 0.0),
             "momentum: schedule onecycle moves it, but it is {} with base-momentum {}; use values "
             "above 0, or onecycle:cycle-momentum=false",
             settings.momentum.value_or(0.0), base_momentum_);
  }

  double lr(int64_t step) const override { return at(step, start_, lr_, final_); }

  std::optional<double> momentum(int64_t step) const override {
    if (!cycle_momentum_) return std::nullopt;
    return at(step, max_momentum_, base_momentum_, max_momentum_);
  }

  int64_t highest() const override {
    const auto below = static_cast<int64_t>(std::max(0.0, top_));
    const int64_t above = std::min(below + 1, steps_ - 1);
    int64_t best = 0;
    for (const int64_t step : {std::min(below, steps_ - 1), above}) {
      if (lr(step) > lr(best)) best = step;
    }
    return best;
  }

 private:
  double at(int64_t step, double start, double peak, double end) const {
    const auto s = static_cast<double>(step);
    const double last = static_cast<double>(steps_) - 1.0;
    if (s <= top_ && top_ > 0.0) return along_cosine(start, peak, s / top_);
    const double from = std::max(top_, 0.0);
    return last > from ? along_cosine(peak, end, (s - from) / (last - from)) : peak;
  }

  double lr_;
  double start_;
  double final_;
  int64_t steps_;
  double top_;  ///< the step of the peak; not always an integer
  bool cycle_momentum_;
  double base_momentum_;
  double max_momentum_;
};

[[maybe_unused]] const bool registered = register_schedule(
    {.name = "onecycle",
     .help = "cosine up to L and down again, momentum against it",
     .citation = "Smith, 2018; torch/optim/lr_scheduler.py, OneCycleLR",
     .options = {float_option("peak-at", 0.3, 0.0, 1.0, "share of all steps before the peak"),
                 float_option("start-factor", 25.0, 1.0, 1e12, "starts at L / this"),
                 float_option("final-factor", 1e4, 1.0, 1e12, "ends at its start / this"),
                 bool_option("cycle-momentum", true,
                             "move momentum (beta1 of adamw) against the learning rate"),
                 float_option("base-momentum", 0.85, 0.0, 0.9999, "momentum at the peak"),
                 float_option("max-momentum", 0.95, 0.0, 0.9999, "momentum at start and end")},
     .has_warmup = false,
     .make = [](const ScheduleSettings& settings) {
       return std::make_unique<OneCycle>(settings);
     }});

}  // namespace
}  // namespace diagrad::train
