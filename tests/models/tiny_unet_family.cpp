// The small U-shaped net for the matrix.
#include "tests/models/matrix.h"
#include "tests/models/tiny_unet.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;

std::vector<ExpectedCall> expected_calls(Placement /*placement*/, Sharing sharing) {
  switch (sharing) {
    case Sharing::block:
      return {{0, 4, 8}, {1, 8, 4}, {2, 8, 4}, {3, 4, 8}};
    case Sharing::stage:
      return {{0, 4, 8}, {1, 8, 4}, {1, 8, 4}, {2, 4, 8}};
    case Sharing::network:
      break;
  }
  return {{0, 4, 8}, {1, 8, 4}, {1, 8, 4}, {0, 4, 8}};
}

[[maybe_unused]] const bool registered = register_family(
    {.name = "tiny unet",
     .make =
         [](const std::string& attention, const std::string& sharing, uint64_t seed) {
           return testing::make_tiny_unet(attention, sharing, kClasses, seed);
         },
     .image = {8, 8, 3},
     .other_image = {6, 10, 3},
     .placements = {Placement::pre_add},
     .tokens = false,
     .calls = expected_calls});

}  // namespace
}  // namespace diagrad::models::matrix
