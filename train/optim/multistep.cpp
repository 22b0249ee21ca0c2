#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "diagrad/core/error.h"
#include "diagrad/train/optim/schedule.h"

namespace diagrad::train {
namespace {

/// PyTorch's MultiStepLR.
class Multistep : public Schedule {
 public:
  explicit Multistep(const ScheduleSettings& settings)
      : lr_(settings.lr),
        gamma_(settings.options.get_float("gamma")),
        milestones_(settings.options.get_ints("milestones")),
        steps_per_epoch_(settings.steps_per_epoch),
        warmup_(settings.warmup) {
    DG_CHECK(!milestones_.empty(),
             "schedule: multistep needs milestones, e.g. multistep:milestones=60+120");
    DG_CHECK(std::is_sorted(milestones_.begin(), milestones_.end()),
             "schedule: milestones={} of 'multistep' must not fall", fmt::join(milestones_, "+"));
  }

  double lr(int64_t step) const override {
    const auto passed =
        std::upper_bound(milestones_.begin(), milestones_.end(), step / steps_per_epoch_) -
        milestones_.begin();
    return lr_ * std::pow(gamma_, static_cast<double>(passed));
  }
  int64_t highest() const override { return warmup_; }

 private:
  double lr_;
  double gamma_;
  std::vector<int64_t> milestones_;
  int64_t steps_per_epoch_;
  int64_t warmup_;
};

[[maybe_unused]] const bool registered = register_schedule(
    {.name = "multistep",
     .help = "L gamma^(number of milestones <= epoch)",
     .options = {int_list_option("milestones", {}, 0, 1'000'000,
                                 "epochs, counted from 0, at whose start the rate drops"),
                 float_option("gamma", 0.1, 0.0, 1.0, "factor of a drop")},
     .make = [](const ScheduleSettings& settings) {
       return std::make_unique<Multistep>(settings);
     }});

}  // namespace
}  // namespace diagrad::train
