// A variant of attention for tests that reads every statistic and normalises, with what the calls
// share of the normalisation as its option. Registered like any other, so the suites visit it.
#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/attention/per_call.h"
#include "diagrad/nn/batch_norm2d.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/slice.h"

namespace diagrad::testing {
namespace {

using nn::UnitSpec;

/// s = sigmoid(norm(a mean + b std + c l2_norm + d max)), with numbers a to d for each channel.
class NormGate : public nn::Attention {
 public:
  NormGate(const UnitSpec& unit, RandomStream& random)
      : weight_(add_parameter("weight", uniform({4, unit.channels}, 0.5, 1.5, random))),
        norm_(add("norm",
                  nn::PerCall<nn::BatchNorm2d>(nn::BatchNormSpec{.channels = unit.channels},
                                               unit.calls, nn::norm_sharing(unit.options)))) {}

 protected:
  Tensor scale(const nn::ChannelStats& stats, nn::State& state) override {
    const Tensor mixed = stats.mean() * weight_row(0) + stats.std() * weight_row(1) +
                         stats.l2_norm() * weight_row(2) + stats.max() * weight_row(3);
    return sigmoid(norm_->forward(mixed, state.call));
  }

 private:
  Tensor weight_row(int64_t row) const { return slice(weight_, 0, row, row + 1); }

  Tensor weight_;
  std::shared_ptr<nn::PerCall<nn::BatchNorm2d>> norm_;
};

[[maybe_unused]] const bool registered = nn::register_attention(
    {.name = "test-norm",
     .help = "a normalised mix of all statistics of a channel",
     .citation = "for tests",
     .options = {nn::norm_sharing_option()},
     .statistics = nn::Statistics::all,
     .make = [](const UnitSpec& unit,
                RandomStream& random) { return std::make_shared<NormGate>(unit, random); },
     .parameters =
         [](const UnitSpec& unit) {
           const int64_t copies = nn::affine_copies(nn::norm_sharing(unit.options), unit.calls);
           return (4 + 2 * copies) * unit.channels;
         }});

}  // namespace
}  // namespace diagrad::testing
