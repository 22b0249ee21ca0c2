// The small transformer for the matrix.
#include "tests/models/matrix.h"
#include "tests/models/tiny_vit.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;

/// Two blocks of one width in one stage.
std::vector<ExpectedCall> expected_calls(Placement placement, Sharing sharing) {
  std::vector<ExpectedCall> calls(placement == Placement::both ? 4 : 2, ExpectedCall{0, 8, 4});
  for (size_t i = 0; i < calls.size(); ++i) calls[i].unit = sharing == Sharing::block ? i : 0;
  return calls;
}

[[maybe_unused]] const bool registered = register_family(
    {.name = "tiny vit",
     .make =
         [](const std::string& attention, const std::string& sharing, uint64_t seed) {
           return testing::make_tiny_vit(attention, sharing, kClasses, seed);
         },
     .image = {8, 8, 3},
     .other_image = {6, 10, 3},
     .placements = {Placement::ffn, Placement::attn, Placement::both},
     .tokens = true,
     .calls = expected_calls});

}  // namespace
}  // namespace diagrad::models::matrix
