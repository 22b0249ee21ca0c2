#pragma once

#include "diagrad/core/random.h"
#include "diagrad/core/size2.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct PatchEmbedSpec {
  Size2 patch = 16;  ///< height and width in pixels
  int64_t channels = 3;
  int64_t width = 0;  ///< D
};

/// Images [B,H,W,C] cut into patches of p x q pixels, each mapped to D features: tokens
/// [B, (H/p)(W/q), D], row by row. A convolution of stride p x q, computed as one matrix product;
/// `proj.weight` [D,p,q,C] and `proj.bias` [D] are named and first drawn as those of a Conv2d.
/// Throws for images that the patches do not divide, with the numbers.
/// Source: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, equation 1.
class PatchEmbed : public Module {
 public:
  PatchEmbed(const PatchEmbedSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& images) override;

 private:
  class Projection;
  PatchEmbedSpec spec_;
  std::shared_ptr<Projection> proj_;
};

/// How many patches an image has in either direction. Throws, in the name of `who`, where the patch
/// does not divide it.
Size2 patch_grid(const char* who, Size2 image, Size2 patch);

}  // namespace diagrad::nn
