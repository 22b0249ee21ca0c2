// A small U-net of diffusion for the matrix.
#include "diagrad/ops/pool.h"
#include "tests/models/matrix.h"
#include "tests/support/unet_nets.h"

namespace diagrad::models::matrix {
namespace {

using nn::Placement;
using nn::Sharing;

/// Logits of a U-net: the means of the channels that it gives, each image at a time of its own.
class UnetLogits : public nn::Module {
 public:
  explicit UnetLogits(std::shared_ptr<nn::Module> unet) : unet_(add("unet", std::move(unet))) {}

  Tensor forward(const Tensor& images) override {
    nn::Inputs inputs = testing::noisy_inputs(images.size(0), {1, 1, 1}, images.dtype());
    inputs.image = images;
    return global_avg_pool(unet_->call(inputs));
  }

 private:
  std::shared_ptr<nn::Module> unet_;
};

/// Down: a block of each level. Middle: two. Up: two of each level, the lower one first.
std::vector<ExpectedCall> expected_calls(Placement /*placement*/, Sharing sharing) {
  switch (sharing) {
    case Sharing::block:
      return {{0, 4, 8}, {1, 8, 4}, {2, 8, 4}, {3, 8, 4},
              {4, 8, 4}, {5, 8, 4}, {6, 4, 8}, {7, 4, 8}};
    case Sharing::stage:
      return {{0, 4, 8}, {1, 8, 4}, {2, 8, 4}, {2, 8, 4},
              {3, 8, 4}, {3, 8, 4}, {4, 4, 8}, {4, 4, 8}};
    case Sharing::network:
      break;
  }
  return {{0, 4, 8}, {1, 8, 4}, {1, 8, 4}, {1, 8, 4}, {1, 8, 4}, {1, 8, 4}, {0, 4, 8}, {0, 4, 8}};
}

[[maybe_unused]] const bool registered = register_family(
    {.name = "unet",
     .make =
         [](const std::string& attention, const std::string& sharing, uint64_t seed) {
           return std::make_shared<UnetLogits>(testing::small_unet(attention, sharing, seed));
         },
     .image = {8, 8, kClasses},
     .other_image = {6, 10, kClasses},
     .placements = {Placement::pre_add},
     .tokens = false,
     .calls = expected_calls});

}  // namespace
}  // namespace diagrad::models::matrix
