// The smallest ResNets of two blocks per stage, for the matrix.
#include "diagrad/models/registry.h"
#include "tests/models/matrix.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;

constexpr int kStages = 3;
constexpr int kBlocks = 2;  ///< per stage

/// A block's call; `width` is the width of the first stage. The unit is left to the caller.
ExpectedCall expected_call(bool bottleneck, int64_t width, Placement placement, int stage,
                           int block) {
  const bool outer = placement == Placement::pre_add || placement == Placement::in_norm;
  const bool before = placement == Placement::before_conv || placement == Placement::replaces_conv;
  // Bottlenecks halve the image in the second convolution, basic blocks in the first.
  const bool halves = bottleneck && block == 0 && stage > 0;
  return {.unit = 0,
          .channels = (width << stage) * (bottleneck && outer ? 4 : 1),
          .size = halves && before ? 16 >> stage : 8 >> stage,
          .stride = halves ? 2 : 1};
}

std::vector<ExpectedCall> expected_calls(bool bottleneck, int64_t width, Placement placement,
                                         Sharing sharing) {
  std::vector<ExpectedCall> calls;
  for (int stage = 0; stage < kStages; ++stage) {
    for (int block = 0; block < kBlocks; ++block) {
      const size_t index = calls.size();
      calls.push_back(expected_call(bottleneck, width, placement, stage, block));
      // Every stage has a width of its own, so those of the network are those of the stages.
      calls.back().unit = sharing == Sharing::block ? index : static_cast<size_t>(stage);
    }
  }
  return calls;
}

Family family(const char* name, bool bottleneck, int64_t width) {
  const std::vector<std::pair<std::string, std::string>> options = {
      {"depth", bottleneck ? "20" : "14"},
      {"block", bottleneck ? "bottleneck" : "basic"},
      {"width", std::to_string(width)}};
  return {.name = name,
          .make =
              [options](const std::string& attention, const std::string& sharing, uint64_t seed) {
                return create("resnet", {.classes = kClasses,
                                         .input = {8, 8, 3},
                                         .attention = attention,
                                         .sharing = sharing,
                                         .options = options,
                                         .seed = seed});
              },
          .image = {8, 8, 3},
          .other_image = {9, 7, 3},
          .placements = {Placement::pre_add, Placement::before_conv, Placement::after_conv2,
                         Placement::in_norm, Placement::replaces_conv},
          .tokens = false,
          .calls =
              [=](Placement placement, Sharing sharing) {
                return expected_calls(bottleneck, width, placement, sharing);
              }};
}

[[maybe_unused]] const bool registered =
    register_family(family("resnet, basic", /*bottleneck=*/false, 4)) &&
    register_family(family("resnet, bottleneck", /*bottleneck=*/true, 2));

}  // namespace
}  // namespace diagrad::models::matrix
