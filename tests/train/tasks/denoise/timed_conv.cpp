#include <memory>

#include "diagrad/models/registry.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/embedding.h"
#include "diagrad/nn/linear.h"
#include "diagrad/ops/activation.h"
#include "diagrad/ops/binary.h"
#include "diagrad/ops/reshape.h"

// The smallest net that the task denoise can train: two convolutions around a bias that follows
// from time and class.

namespace diagrad {
namespace {

constexpr int64_t kWidth = 8;

class TimedConv : public nn::Module {
 public:
  TimedConv(int64_t channels, int64_t classes, RandomStream random)
      : classes_(classes),
        first_(add("first", conv(channels, kWidth, random))),
        time_(add("time", nn::Linear({1, kWidth}, random))),
        last_(add("last", conv(kWidth, channels, random))) {
    if (classes > 0) class_ = add("class", nn::Embedding({classes + 1, kWidth}, random));
  }

  int64_t class_count() const override { return classes_; }

  Tensor call(const nn::Inputs& inputs) override {
    const int64_t count = inputs.image.size(0);
    Tensor bias = time_->forward(mul(reshape(inputs.time, {count, 1}), 1e-3));
    if (class_) bias = diagrad::add(bias, class_->forward(inputs.class_label));
    const Tensor hidden =
        silu(diagrad::add(first_->forward(inputs.image), reshape(bias, {count, 1, 1, kWidth})));
    return last_->forward(hidden);
  }

 private:
  static nn::Conv2d conv(int64_t in, int64_t out, RandomStream& random) {
    return nn::Conv2d({.in_channels = in, .out_channels = out, .kernel = 3, .padding = 1}, random);
  }

  int64_t classes_;
  std::shared_ptr<nn::Conv2d> first_;
  std::shared_ptr<nn::Linear> time_;
  std::shared_ptr<nn::Conv2d> last_;
  std::shared_ptr<nn::Embedding> class_;
};

[[maybe_unused]] const bool registered = models::register_model(
    {.name = "timed-conv",
     .help = "two convolutions and a bias of time and class",
     .options = {int_option("classes", 0, 0, 1000, "to condition on")},
     .calls = {models::CallForm::image_time, models::CallForm::image_time_class},
     .output = models::Output::image,
     .make = [](const models::ModelSpec& spec, const OptionValues& options) {
       return std::make_shared<TimedConv>(spec.input[2], options.get_int("classes"),
                                          RandomStream(spec.seed, stream_id("weights")));
     }});

}  // namespace
}  // namespace diagrad
