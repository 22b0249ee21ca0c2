#pragma once

#include <memory>
#include <string>

#include "diagrad/core/size2.h"
#include "diagrad/nn/mlp.h"
#include "diagrad/nn/module.h"

namespace diagrad::models {

struct GivenState;

/// What the classifier reads.
enum class TokenPool {
  class_token,
  average,  ///< the mean of the patches
};

enum class Positions {
  learned,     ///< resampled where images have another size (nn/positions.h)
  sinusoidal,  ///< fixed
};

/// A vision transformer; the defaults are those of vit-cifar.
struct VitOptions {
  int64_t patch = 4;     ///< side in pixels
  int64_t dim = 192;     ///< D, the width of a token
  int64_t depth = 9;     ///< blocks
  int64_t heads = 12;    ///< that divide the width
  double mlp_ratio = 2;  ///< hidden width of the feed-forward branch over D
  bool qkv_bias = false;
  bool class_token = true;
  TokenPool pool = TokenPool::class_token;
  Positions positions = Positions::learned;
  GeluForm gelu = GeluForm::exact;
  double drop_path = 0.0;          ///< stochastic depth: from 0 in the first block to this
  double layer_scale = 0.0;        ///< first value of LayerScale; 0: there is none
  double patch_drop = 0.0;         ///< share of the patches that training leaves out
  double dropout = 0.0;            ///< behind the positions and in each branch
  double attention_dropout = 0.0;  ///< on the weights of self-attention
  int64_t channels = 3;            ///< of the images
  Size2 input = 32;                ///< (H, W) that the positions are for
  int64_t classes = 10;
  std::string attention = "none";
  std::string sharing = {};
  bool checkpoint_blocks = false;  ///< blocks are computed again in backward
  uint64_t seed = 0;
};

/// Takes images [B,H,W,C] that the patches divide, gives logits [B,K]: patches, a class token in
/// front of them, positions, pre-norm blocks, normalisation (epsilon 1e-6) and a linear layer on
/// the class token or on the mean of the patches. Names and first values are timm's: weights and
/// positions N(0, 0.02^2), the class token N(0, 1e-12), biases 0, the patch projection PyTorch's
/// default. Attention sits at the end of the branches, before stochastic depth: ffn, attn or both.
/// All blocks are one stage, which is the model: a shared unit is `attention.*`. Throws for sizes
/// that do not fit, with the numbers.
/// Source: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; timm,
/// vision_transformer.py.
std::shared_ptr<nn::Module> make_vit(const VitOptions& options);

/// ModelInfo::adapt: learned positions of another grid are resampled to that of `vit`, which is of
/// make_vit. Their grid is the option `grid` (HxW), else that of the images that the weights were
/// trained on, else the square of the positions behind the prefix. Throws Error(usage) where
/// that many positions make no such grid.
void adapt_vit(GivenState& given, const nn::Module& vit);

}  // namespace diagrad::models
