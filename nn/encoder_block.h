#pragma once

#include <functional>

#include "diagrad/core/random.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/layer_norm.h"
#include "diagrad/nn/layer_scale.h"
#include "diagrad/nn/mlp.h"
#include "diagrad/nn/module.h"
#include "diagrad/nn/multihead_attention.h"

namespace diagrad::nn {

struct EncoderBlockSpec {
  int64_t width = 0;   ///< D
  int64_t heads = 1;   ///< that divide D
  int64_t hidden = 0;  ///< of the feed-forward branch
  bool qkv_bias = true;
  GeluForm gelu = GeluForm::exact;
  double epsilon = 1e-6;           ///< of both normalisations
  double layer_scale = 0.0;        ///< first value of LayerScale; 0: there is none
  double dropout = 0.0;            ///< inside the feed-forward branch and at the ends of both
  double attention_dropout = 0.0;  ///< on the weights of self-attention
  double drop_path = 0.0;          ///< stochastic depth, of either branch
  LinearInit init = LinearInit::truncated_normal;
};

/// A pre-norm block of a transformer's encoder, x [B,T,D]:
///
///   x = x + drop_path(end(ls1(attn(norm1(x)))))
///   y = x + drop_path(end(ls2(mlp(norm2(x)))))
///
/// with ls1, ls2 LayerScale where there is one, and `end` the identity in forward. Names are
/// timm's. Source: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, equations 2
/// and 3.
class EncoderBlock : public Module {
 public:
  /// What a model does to a finished branch [B,T,D]. A sample that is dropped passes through it,
  /// too.
  using BranchEnd = std::function<Tensor(const Tensor& branch)>;

  EncoderBlock(const EncoderBlockSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& x) override;
  Tensor run(const Tensor& x, const BranchEnd& attn_end, const BranchEnd& mlp_end);

 private:
  std::shared_ptr<LayerScale> add_scale(const std::string& name, const EncoderBlockSpec& spec);
  /// What is added to the shortcut.
  Tensor finished(const Tensor& branch, LayerScale* scale, const BranchEnd& end);

  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<MultiheadAttention> attn_;
  std::shared_ptr<LayerScale> ls1_;  ///< may be null
  std::shared_ptr<LayerNorm> norm2_;
  std::shared_ptr<Mlp> mlp_;
  std::shared_ptr<LayerScale> ls2_;  ///< may be null
  std::shared_ptr<DropPath> drop_path_;
};

}  // namespace diagrad::nn
