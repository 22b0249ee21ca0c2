#pragma once

#include <memory>
#include <string>

#include "diagrad/core/size2.h"
#include "diagrad/nn/conv2d.h"
#include "diagrad/nn/module.h"

namespace diagrad::models {

/// A residual network for small images: 3x3 stem, three stages of n blocks at widths w, 2w, 4w
/// and strides 1, 2, 2, global average pooling, one linear layer. Attention sits after the last
/// normalisation of a branch, before the addition, unless its placement says otherwise.
struct ResNetOptions {
  int64_t depth = 20;
  bool bottleneck = false;  ///< 1x1, 3x3, 1x1 with fourfold output; else two 3x3
  int64_t width = 16;       ///< of the first stage
  int64_t channels = 3;     ///< of the images
  Size2 input = 32;         ///< (H, W) that attention is told; other sizes work as well
  int64_t classes = 10;
  nn::ConvInit init = nn::ConvInit::fan_out_normal;  ///< of the convolutions: the authors'
  std::string attention = "none";
  std::string sharing = {};
  bool checkpoint_blocks = false;  ///< blocks are computed again in backward: less memory
  uint64_t seed = 0;
};

/// Takes images [B,H,W,C] of any size from 4x4, gives logits [B,K]. Depth must be 6n + 2 (basic)
/// or 9n + 2 (bottleneck); throws with the next ones otherwise. Convolutions start as
/// N(0, 2 / (k k O)) unless `init` says otherwise, normalisations as 1 and 0, the last layer as
/// PyTorch's default. Names are torchvision's; a shared unit belongs to its stage:
/// `layer1.attention.*`. Source: He et al., CVPR 2016, section 4.2; placement and initialisation of
/// the DIANet code.
std::shared_ptr<nn::Module> make_resnet(const ResNetOptions& options);

}  // namespace diagrad::models
