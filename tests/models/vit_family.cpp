// Small vision transformers for the matrix.
#include "diagrad/models/registry.h"
#include "tests/models/matrix.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;

constexpr int kBlocks = 2;
constexpr int64_t kWidth = 16;

/// All blocks are one stage of one width; with `both`, a block makes two calls.
std::vector<ExpectedCall> expected_calls(Placement placement, Sharing sharing) {
  const size_t count = placement == Placement::both ? 2 * kBlocks : kBlocks;
  std::vector<ExpectedCall> calls(count, ExpectedCall{.unit = 0, .channels = kWidth, .size = 4});
  for (size_t i = 0; i < count; ++i) calls[i].unit = sharing == Sharing::block ? i : 0;
  return calls;
}

Family family(const char* name, const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::pair<std::string, std::string>> options = {
      {"patch", "2"}, {"dim", "16"}, {"depth", "2"}, {"heads", "2"}, {"mlp-ratio", "2"}};
  options.insert(options.end(), more.begin(), more.end());
  return {.name = name,
          .make =
              [options](const std::string& attention, const std::string& sharing, uint64_t seed) {
                return create("vit", {.classes = kClasses,
                                      .input = {8, 8, 3},
                                      .attention = attention,
                                      .sharing = sharing,
                                      .options = options,
                                      .seed = seed});
              },
          .image = {8, 8, 3},
          .other_image = {6, 10, 3},
          .placements = {Placement::ffn, Placement::attn, Placement::both},
          .tokens = true,
          .calls = expected_calls};
}

[[maybe_unused]] const bool registered =
    register_family(family("vit, class token", {{"pool", "class"}})) &&
    register_family(family("vit, average", {{"pool", "avg"},
                                            {"layer-scale", "0.5"},
                                            {"drop-path", "0.3"},
                                            {"patch-drop", "0.25"},
                                            {"gelu", "tanh"}}));

}  // namespace
}  // namespace diagrad::models::matrix
