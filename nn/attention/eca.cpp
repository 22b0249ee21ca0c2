#include <cmath>

#include "diagrad/core/error.h"
#include "diagrad/nn/attention/attention.h"
#include "diagrad/nn/init.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/conv1d.h"
#include "diagrad/ops/reshape.h"

namespace diagrad::nn {
namespace {

/// The paper's kernel for C channels: t = |(log2 C + 1) / 2| rounded down, or t + 1 if that is
/// even.
int64_t adaptive_kernel(int64_t channels) {
  const auto t = static_cast<int64_t>((std::log2(static_cast<double>(channels)) + 1.0) / 2.0);
  return t % 2 == 1 ? t : t + 1;
}

int64_t kernel_of(const UnitSpec& unit) {
  const int64_t given = unit.options.get_int("kernel");
  return given == 0 ? adaptive_kernel(unit.channels) : given;
}

void check(const OptionValues& options) {
  const int64_t kernel = options.get_int("kernel");
  DG_CHECK(kernel == 0 || kernel % 2 == 1,
           "attention: kernel={} of 'eca' is even; use an odd one, or 0 for the paper's", kernel);
}

/// The convolution over neighbouring channels, as a module of its own so that it is `conv.weight`.
class ChannelConv : public Module {
 public:
  ChannelConv(int64_t kernel, RandomStream& random)
      : weight_(add_parameter("weight", init::fan_in_uniform({1, kernel, 1}, kernel, random))) {}

  Tensor forward(const Tensor& pooled) override {
    const int64_t kernel = weight_.size(1);
    return squeeze(conv1d(unsqueeze(pooled, 2), weight_, {.padding = (kernel - 1) / 2}), 2);
  }

 private:
  Tensor weight_;
};

/// Efficient channel attention: s = sigmoid(conv1d(y)) along the channel axis, zero padding.
class EfficientChannelAttention : public Attention {
 public:
  EfficientChannelAttention(int64_t kernel, RandomStream& random)
      : conv_(add("conv", ChannelConv(kernel, random))) {}

 protected:
  Tensor scale(const ChannelStats& stats, State& /*state*/) override {
    return sigmoid(conv_->forward(stats.mean()));
  }

 private:
  std::shared_ptr<ChannelConv> conv_;
};

[[maybe_unused]] const bool registered = register_attention(
    {.name = "eca",
     .help = "efficient channel attention: a small convolution over neighbouring channels",
     .citation = "Wang et al., \"ECA-Net\", CVPR 2020, eqs. 9 and 12",
     .options = {int_option("kernel", 0, 0, 63,
                            "odd width of the convolution; 0: the paper's, from C")},
     .make =
         [](const UnitSpec& unit, RandomStream& random) {
           return std::make_shared<EfficientChannelAttention>(kernel_of(unit), random);
         },
     .parameters = [](const UnitSpec& unit) { return kernel_of(unit); },
     .check = check});

}  // namespace
}  // namespace diagrad::nn
