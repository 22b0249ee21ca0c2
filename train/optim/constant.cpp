#include "diagrad/train/optim/schedule.h"

namespace diagrad::train {
namespace {

class Constant : public Schedule {
 public:
  explicit Constant(const ScheduleSettings& settings)
      : lr_(settings.lr), warmup_(settings.warmup) {}
  double lr(int64_t /*step*/) const override { return lr_; }
  int64_t highest() const override { return warmup_; }

 private:
  double lr_;
  int64_t warmup_;
};

[[maybe_unused]] const bool registered = register_schedule(
    {.name = "constant", .help = "L at every step", .make = [](const ScheduleSettings& settings) {
       return std::make_unique<Constant>(settings);
     }});

}  // namespace
}  // namespace diagrad::train
