#include "diagrad/core/error.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/resnet.h"

namespace diagrad::models {
namespace {

std::vector<Option> with_common(std::vector<Option> options) {
  options.push_back(int_option("width", 16, 1, 4096, "channels of the first stage"));
  options.push_back(choice_option("init", {"he", "pytorch"},
                                  "first weights of convolutions: N(0, 2 / (k k O)), or U(+-1 / "
                                  "sqrt(k k I)), smaller and so faster to turn"));
  return options;
}

std::shared_ptr<nn::Module> make(int64_t depth, bool bottleneck, const ModelSpec& spec,
                                 const OptionValues& options) {
  DG_CHECK(spec.input.rank() == 3, "resnet: needs images [H,W,C], got shape {}", spec.input);
  return make_resnet({.depth = depth,
                      .bottleneck = bottleneck,
                      .width = options.get_int("width"),
                      .channels = spec.input[2],
                      .input = {spec.input[0], spec.input[1]},
                      .classes = spec.classes,
                      .init = options.get_choice("init") == "he" ? nn::ConvInit::fan_out_normal
                                                                 : nn::ConvInit::fan_in_uniform,
                      .attention = spec.attention,
                      .sharing = spec.sharing,
                      .checkpoint_blocks = spec.checkpoint_blocks,
                      .seed = spec.seed});
}

bool register_depth(int64_t depth, bool bottleneck) {
  return register_model({.name = fmt::format("resnet{}", depth),
                         .help = fmt::format("CIFAR ResNet of {} layers, {} blocks", depth,
                                             bottleneck ? "bottleneck" : "basic"),
                         .options = with_common({}),
                         .can_checkpoint = true,
                         .head = "fc",
                         .make = [=](const ModelSpec& spec, const OptionValues& options) {
                           return make(depth, bottleneck, spec, options);
                         }});
}

bool register_any_depth() {
  return register_model(
      {.name = "resnet",
       .help = "CIFAR ResNet of any depth: 6n + 2 layers of basic or 9n + 2 of bottleneck blocks",
       .options = with_common(
           {int_option("depth", 20, 8, 10000, "layers"),
            choice_option("block", {"basic", "bottleneck"}, "two 3x3, or 1x1, 3x3, 1x1")}),
       .can_checkpoint = true,
       .head = "fc",
       .make = [](const ModelSpec& spec, const OptionValues& options) {
         return make(options.get_int("depth"), options.get_choice("block") == "bottleneck", spec,
                     options);
       }});
}

bool register_all() {
  bool done = register_any_depth();
  for (const int64_t depth : {8, 14, 20, 32, 44, 56, 110}) {
    done = register_depth(depth, /*bottleneck=*/false) && done;
  }
  for (const int64_t depth : {29, 47, 83, 164, 245, 326, 407}) {
    done = register_depth(depth, /*bottleneck=*/true) && done;
  }
  return done;
}

[[maybe_unused]] const bool registered = register_all();

}  // namespace
}  // namespace diagrad::models
