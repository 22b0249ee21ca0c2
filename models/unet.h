#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "diagrad/core/size2.h"
#include "diagrad/models/unet_block.h"
#include "diagrad/nn/module.h"
#include "diagrad/nn/time_embedding.h"

namespace diagrad::models {

/// Default sharing of attention that carries state.
inline constexpr nn::Sharing kUnetStatefulSharing = nn::Sharing::network;

/// The U-net of denoising diffusion; the defaults are those for CIFAR-10.
struct UnetOptions {
  int64_t base = 128;                        ///< channels of the first level
  std::vector<int64_t> mult = {1, 2, 2, 2};  ///< channels of each level over base
  int64_t blocks = 2;                        ///< residual blocks of a level; on the way up one more
  int64_t groups = 0;  ///< of the normalisations; 0: 32 from base 64 on, else base / 4
  std::vector<int64_t> attn = {16};  ///< heights of the levels with self-attention
  int64_t heads = 1;                 ///< of self-attention
  double dropout = 0.0;              ///< in each block, before the second convolution
  int64_t classes = 0;               ///< K to condition on; 0: unconditional
  double epsilon = 1e-5;             ///< of all normalisations
  DownPadding down_padding = DownPadding::symmetric;
  nn::TimeOrder time_order = nn::TimeOrder::sin_cos;
  int64_t frequency_shift = 1;  ///< of the time features
  int64_t channels = 3;         ///< of the images
  Size2 input = 32;             ///< (H, W)
  std::string attention = "none";
  std::string sharing = {};
  bool checkpoint_blocks = false;  ///< blocks are computed again in backward
  uint64_t seed = 0;
};

/// Takes images [B,H,W,C] and times [B], and classes i64 [B] where there are K > 0; gives images
/// [B,H,W,C]. Heights and widths are multiples of 2^(levels - 1). A 3x3 convolution; on the way
/// down, levels of residual blocks (UnetBlock), each followed by a convolution of stride 2; in the
/// middle a block, self-attention and a block; on the way up, levels of one block more, each of
/// which reads the concatenation with what a layer of the way down gave, followed by nearest
/// upsampling and a convolution; then normalisation, SiLU and a convolution. Levels of the heights
/// in `attn` have self-attention behind each block, and so has the middle.
///
/// Every block reads silu of the embedding of the time, to which a row of a table [K + 1, 4 base]
/// is added: that of the class in [0, K), or row K, the null class, for nn::kNoClass, for K itself
/// and where no classes are given.
///
/// Names are those of diffusers' UNet2DModel. First weights are PyTorch's defaults; the last
/// convolution of each block and of the net and the last layer of self-attention are 0.
///
/// Attention sits at the end of each block's branch (pre_add), on all blocks, never on
/// self-attention. A stage is one level of one path: down_blocks.i, mid_block, up_blocks.i.
/// Variants that carry state are shared by the network as a default: one unit for each width,
/// whose state lasts from the way down to the way up.
///
/// Throws for options and sizes that do not fit, with those that do.
/// Source: Ho, Jain, Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020, appendix B;
/// diffusers, unet_2d.py.
std::shared_ptr<nn::Module> make_unet(const UnetOptions& options);

}  // namespace diagrad::models
