#include <charconv>

#include "diagrad/core/error.h"
#include "diagrad/models/registry.h"
#include "diagrad/models/resnet.h"

namespace diagrad::models {
namespace {

int64_t whole_option(const ModelSpec& spec, const std::string& name, int64_t fallback) {
  const auto found = spec.options.find(name);
  if (found == spec.options.end()) return fallback;
  const std::string& text = found->second;
  int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  DG_CHECK(status == std::errc{} && end == text.data() + text.size(),
           "model-opt: {}={} is not a whole number", name, text);
  return value;
}

bool register_depth(int64_t depth, bool bottleneck) {
  return register_model({.name = fmt::format("resnet{}", depth),
                         .help = fmt::format("CIFAR ResNet of {} layers, {} blocks", depth,
                                             bottleneck ? "bottleneck" : "basic"),
                         .options = {{"width", "16", "channels of the first stage"}},
                         .make = [depth, bottleneck](const ModelSpec& spec) {
                           DG_CHECK(spec.input.rank() == 3,
                                    "resnet: needs pictures [H,W,C], got shape {}", spec.input);
                           return make_resnet({.depth = depth,
                                               .bottleneck = bottleneck,
                                               .width = whole_option(spec, "width", 16),
                                               .channels = spec.input.back(),
                                               .classes = spec.classes,
                                               .attention = spec.attention,
                                               .sharing = spec.sharing,
                                               .seed = spec.seed});
                         }});
}

bool register_all() {
  bool done = true;
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
