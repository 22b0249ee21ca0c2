#pragma once

#include "diagrad/core/random.h"
#include "diagrad/nn/dropout.h"
#include "diagrad/nn/layer_norm.h"
#include "diagrad/nn/linear.h"
#include "diagrad/nn/module.h"
#include "diagrad/ops/scaled_dot_product.h"

namespace diagrad::nn {

enum class QkvProjection {
  joint,     ///< one layer `qkv`, rows q, k, v in turn, each head by head: timm's layout
  separate,  ///< layers `q_proj`, `k_proj` and `v_proj`; k and v may be of other tokens
};

struct MultiheadAttentionSpec {
  int64_t width = 0;  ///< D
  int64_t heads = 1;  ///< that divide D
  QkvProjection projection = QkvProjection::joint;
  bool qkv_bias = true;
  double attention_dropout = 0.0;  ///< on the weights of the values
  double dropout = 0.0;            ///< on the result
  LinearInit init = LinearInit::truncated_normal;
};

/// Self-attention over tokens x [B,T,D]: in each head, of d = D / heads features,
/// softmax(q k^T / sqrt(d)) v (ops/scaled_dot_product.h); the heads side by side, then `proj` and
/// dropout. Throws for heads that do not divide the width and for other inputs, with the numbers.
/// Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
class MultiheadAttention : public Module {
 public:
  MultiheadAttention(const MultiheadAttentionSpec& spec, RandomStream& random);
  Tensor forward(const Tensor& x) override;
  /// forward(norm(x)), without keeping norm(x) where the projection is joint.
  Tensor forward_normalized(const Tensor& x, LayerNorm& norm);
  /// q of `x` [B,T,D], k and v of `source` [B,S,D]: cross-attention. Separate projections only.
  Tensor attend(const Tensor& x, const Tensor& source);

 private:
  /// [B,T,D] by heads, [B,heads,T,d].
  Tensor heads_of(const Tensor& y) const;
  /// Those of the next call, with its dropout.
  ScaledDotProductOptions next_options() const;
  /// What the heads give, [B,T,heads,d], as the layer's result [B,T,D].
  Tensor projected(const Tensor& y);
  void check_tokens(const Tensor& x) const;

  MultiheadAttentionSpec spec_;
  std::shared_ptr<Linear> qkv_;
  std::shared_ptr<Linear> q_proj_, k_proj_, v_proj_;
  std::shared_ptr<Linear> proj_;
  std::shared_ptr<Dropout> dropout_;
};

}  // namespace diagrad::nn
