#include <algorithm>

#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"

namespace diagrad::nn {
namespace {

constexpr int64_t kMaxReduction = 4096;

struct Settings {
  int64_t hidden;
  bool bias;
};

Settings read(const UnitSpec& unit, Spec& spec) {
  const int64_t reduction = spec.whole("reduction", 16, 1, kMaxReduction);
  return {std::max<int64_t>(1, unit.channels / reduction), spec.flag("bias", true)};
}

/// Squeeze and excitation: s = sigmoid(W2 relu(W1 y)).
class SqueezeExcitation : public Attention {
 public:
  SqueezeExcitation(int64_t channels, const Settings& settings, RandomStream& random)
      : fc1_(add("fc1", Linear({channels, settings.hidden, settings.bias}, random))),
        fc2_(add("fc2", Linear({settings.hidden, channels, settings.bias}, random))) {}

 protected:
  Tensor scale(const Tensor& pooled, State& /*state*/) override {
    return sigmoid(fc2_->forward(relu(fc1_->forward(pooled))));
  }

 private:
  std::shared_ptr<Linear> fc1_, fc2_;
};

[[maybe_unused]] const bool registered = register_attention(
    {.name = "se",
     .help = "squeeze and excitation: a two-layer gate on the pooled channels",
     .citation = "Hu, Shen, Sun, \"Squeeze-and-excitation networks\", CVPR 2018, eq. 3",
     .options = {{"reduction", "16", "hidden width is C / reduction, at least 1"},
                 {"bias", "true", "biases in both layers"}},
     .make =
         [](const UnitSpec& unit, Spec& spec, RandomStream& random) {
           return std::make_shared<SqueezeExcitation>(unit.channels, read(unit, spec), random);
         },
     .parameters =
         [](const UnitSpec& unit, Spec& spec) {
           const Settings settings = read(unit, spec);
           return 2 * unit.channels * settings.hidden +
                  (settings.bias ? settings.hidden + unit.channels : 0);
         }});

}  // namespace
}  // namespace diagrad::nn
