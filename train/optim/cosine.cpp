#include <cmath>
#include <numbers>

#include "diagrad/core/error.h"
#include "diagrad/train/optim/schedule.h"

namespace diagrad::train {
namespace {

class Cosine : public Schedule {
 public:
  explicit Cosine(const ScheduleSettings& settings)
      : lr_(settings.lr),
        min_lr_(settings.options.get_float("min-lr")),
        steps_(settings.steps),
        warmup_(settings.warmup) {
    DG_CHECK(min_lr_ <= lr_, "schedule: min-lr={} of 'cosine' is above the learning rate {}",
             min_lr_, lr_);
  }

  double lr(int64_t step) const override {
    const double share =
        static_cast<double>(step - warmup_) / static_cast<double>(steps_ - warmup_);
    return min_lr_ + (lr_ - min_lr_) / 2.0 * (1.0 + std::cos(std::numbers::pi * share));
  }
  int64_t highest() const override { return warmup_; }

 private:
  double lr_;
  double min_lr_;
  int64_t steps_;
  int64_t warmup_;
};

[[maybe_unused]] const bool registered = register_schedule(
    {.name = "cosine",
     .help = "m + (L - m) (1 + cos(pi (s - w) / (N - w))) / 2, m: min-lr",
     .citation = "Loshchilov and Hutter, ICLR 2017, without restarts",
     .options = {float_option("min-lr", 0.0, 0.0, 1e30, "where it ends")},
     .make = [](const ScheduleSettings& settings) { return std::make_unique<Cosine>(settings); }});

}  // namespace
}  // namespace diagrad::train
