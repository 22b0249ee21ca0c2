#include "diagrad/nn/patch_embed.h"

#include "diagrad/core/error.h"
#include "diagrad/nn/init.h"
#include "diagrad/ops/linear.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/transpose.h"

namespace diagrad::nn {

/// The weight of the convolution that PatchEmbed is.
class PatchEmbed::Projection : public Module {
 public:
  Projection(const PatchEmbedSpec& spec, RandomStream& random) {
    const int64_t inputs = spec.patch.h * spec.patch.w * spec.channels;
    const Shape shape{spec.width, spec.patch.h, spec.patch.w, spec.channels};
    weight = add_parameter("weight", init::fan_in_uniform(shape, inputs, random));
    bias = add_parameter("bias", init::fan_in_uniform({spec.width}, inputs, random));
  }
  Tensor weight, bias;
};

PatchEmbed::PatchEmbed(const PatchEmbedSpec& spec, RandomStream& random) : spec_(spec) {
  DG_CHECK(spec.patch.h > 0 && spec.patch.w > 0 && spec.channels > 0 && spec.width > 0,
           "PatchEmbed: patches of {}x{} pixels, {} channels to {} features; all must be positive",
           spec.patch.h, spec.patch.w, spec.channels, spec.width);
  proj_ = add("proj", std::make_shared<Projection>(spec, random));
}

Tensor PatchEmbed::forward(const Tensor& images) {
  DG_CHECK(images.rank() == 4 && images.size(3) == spec_.channels,
           "PatchEmbed: input {} is not [B,H,W,C] with the {} channels of the layer",
           images.shape(), spec_.channels);
  const auto [p, q] = spec_.patch;
  const Size2 grid = patch_grid("PatchEmbed", {images.size(1), images.size(2)}, spec_.patch);
  const int64_t row = q * spec_.channels;  // of one patch
  const Tensor cut = reshape(images, {images.size(0), grid.h, p, grid.w, row});
  const Tensor patches = reshape(transpose(cut, 2, 3), {images.size(0), grid.h * grid.w, p * row});
  return linear(patches, flatten(proj_->weight), proj_->bias);
}

Size2 patch_grid(const char* who, Size2 image, Size2 patch) {
  DG_CHECK(
      image.h >= patch.h && image.w >= patch.w && image.h % patch.h == 0 && image.w % patch.w == 0,
      "{}: images of {}x{} pixels are not divisible into patches of {}x{}", who, image.h, image.w,
      patch.h, patch.w);
  return {image.h / patch.h, image.w / patch.w};
}

}  // namespace diagrad::nn
