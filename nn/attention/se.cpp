#include <algorithm>

#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"

namespace diagrad::nn {
namespace {

int64_t hidden_of(const UnitSpec& unit) {
  return std::max<int64_t>(1, unit.channels / unit.options.get_int("reduction"));
}

/// Squeeze and excitation: s = sigmoid(W2 relu(W1 y)).
class SqueezeExcitation : public Attention {
 public:
  SqueezeExcitation(int64_t channels, int64_t hidden, bool bias, RandomStream& random)
      : fc1_(add("fc1", Linear({channels, hidden, bias}, random))),
        fc2_(add("fc2", Linear({hidden, channels, bias}, random))) {}

 protected:
  Tensor scale(const ChannelStats& stats, State& /*state*/) override {
    return sigmoid(fc2_->forward(relu(fc1_->forward(stats.mean()))));
  }

 private:
  std::shared_ptr<Linear> fc1_, fc2_;
};

[[maybe_unused]] const bool registered = register_attention(
    {.name = "se",
     .help = "squeeze and excitation: a two-layer gate on the pooled channels",
     .citation = "Hu, Shen, Sun, \"Squeeze-and-excitation networks\", CVPR 2018, eq. 3",
     .options = {int_option("reduction", 16, 1, 4096, "hidden width is C / reduction, at least 1"),
                 bool_option("bias", true, "biases in both layers")},
     .make =
         [](const UnitSpec& unit, RandomStream& random) {
           return std::make_shared<SqueezeExcitation>(unit.channels, hidden_of(unit),
                                                      unit.options.get_bool("bias"), random);
         },
     .parameters =
         [](const UnitSpec& unit) {
           const int64_t hidden = hidden_of(unit);
           return 2 * unit.channels * hidden +
                  (unit.options.get_bool("bias") ? hidden + unit.channels : 0);
         }});

}  // namespace
}  // namespace diagrad::nn
