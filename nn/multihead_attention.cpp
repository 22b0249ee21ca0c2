#include "diagrad/nn/multihead_attention.h"

#include "diagrad/core/error.h"
#include "diagrad/nn/random_scope.h"
#include "diagrad/ops/reshape.h"
#include "diagrad/ops/transpose.h"

namespace diagrad::nn {
MultiheadAttention::MultiheadAttention(const MultiheadAttentionSpec& spec, RandomStream& random)
    : spec_(spec) {
  DG_CHECK(spec.width > 0 && spec.heads > 0 && spec.width % spec.heads == 0,
           "MultiheadAttention: {} heads do not divide the width {}", spec.heads, spec.width);
  const auto layer = [&](const char* name, int64_t out, bool bias) {
    return add(
        name,
        Linear({.in_features = spec.width, .out_features = out, .bias = bias, .init = spec.init},
               random));
  };
  if (spec.projection == QkvProjection::joint) {
    qkv_ = layer("qkv", 3 * spec.width, spec.qkv_bias);
  } else {
    q_proj_ = layer("q_proj", spec.width, spec.qkv_bias);
    k_proj_ = layer("k_proj", spec.width, spec.qkv_bias);
    v_proj_ = layer("v_proj", spec.width, spec.qkv_bias);
  }
  proj_ = layer("proj", spec.width, /*bias=*/true);
  DG_CHECK(spec.attention_dropout >= 0.0 && spec.attention_dropout <= 1.0,
           "MultiheadAttention: attention dropout {} is outside [0, 1]", spec.attention_dropout);
  dropout_ = add("dropout", Dropout({.p = spec.dropout}));
}

Tensor MultiheadAttention::forward(const Tensor& x) {
  if (!qkv_) return attend(x, x);
  check_tokens(x);
  return projected(packed_attention(qkv_->forward(x), spec_.heads, next_options()));
}

Tensor MultiheadAttention::forward_normalized(const Tensor& x, LayerNorm& norm) {
  if (!qkv_) return forward(norm.forward(x));
  check_tokens(x);
  return projected(packed_attention(norm.forward_into(x, *qkv_), spec_.heads, next_options()));
}

Tensor MultiheadAttention::attend(const Tensor& x, const Tensor& source) {
  DG_CHECK(q_proj_ != nullptr,
           "MultiheadAttention: attend needs separate projections, this layer has a joint one");
  check_tokens(x);
  check_tokens(source);
  DG_CHECK(x.size(0) == source.size(0),
           "MultiheadAttention: {} attends to {}; their batches differ", x.shape(), source.shape());
  const Tensor y = scaled_dot_product_attention(heads_of(q_proj_->forward(x)),
                                                heads_of(k_proj_->forward(source)),
                                                heads_of(v_proj_->forward(source)), next_options());
  return projected(transpose(y, 1, 2));
}

Tensor MultiheadAttention::heads_of(const Tensor& y) const {
  return transpose(reshape(y, {y.size(0), y.size(1), spec_.heads, spec_.width / spec_.heads}), 1,
                   2);
}

ScaledDotProductOptions MultiheadAttention::next_options() const {
  ScaledDotProductOptions options;
  if (is_training() && spec_.attention_dropout > 0.0) {
    const RandomScope::Draw draw = RandomScope::next();
    options.dropout = spec_.attention_dropout;
    options.seed = draw.seed;
    options.stream = draw.stream;
  }
  return options;
}

Tensor MultiheadAttention::projected(const Tensor& y) {
  return dropout_->forward(proj_->forward(reshape(y, {y.size(0), y.size(1), spec_.width})));
}

void MultiheadAttention::check_tokens(const Tensor& x) const {
  DG_CHECK(x.rank() == 3 && x.size(2) == spec_.width,
           "MultiheadAttention: input {} is not [B,T,D] with the width {} of the layer", x.shape(),
           spec_.width);
}

}  // namespace diagrad::nn
