#include "diagrad/nn/encoder_block.h"

#include <string>

#include "diagrad/core/error.h"
#include "diagrad/ops/binary.h"

namespace diagrad::nn {

EncoderBlock::EncoderBlock(const EncoderBlockSpec& spec, RandomStream& random) {
  const LayerNormSpec norm{.features = spec.width, .epsilon = spec.epsilon};
  norm1_ = add("norm1", LayerNorm(norm));
  attn_ = add("attn", MultiheadAttention({.width = spec.width,
                                          .heads = spec.heads,
                                          .qkv_bias = spec.qkv_bias,
                                          .attention_dropout = spec.attention_dropout,
                                          .dropout = spec.dropout,
                                          .init = spec.init},
                                         random));
  ls1_ = add_scale("ls1", spec);
  norm2_ = add("norm2", LayerNorm(norm));
  mlp_ = add("mlp", Mlp({.features = spec.width,
                         .hidden = spec.hidden,
                         .gelu = spec.gelu,
                         .dropout = spec.dropout,
                         .init = spec.init},
                        random));
  ls2_ = add_scale("ls2", spec);
  drop_path_ = add("drop_path", DropPath({.p = spec.drop_path}));
}

std::shared_ptr<LayerScale> EncoderBlock::add_scale(const std::string& name,
                                                    const EncoderBlockSpec& spec) {
  if (spec.layer_scale == 0.0) return nullptr;
  return add(name, LayerScale({.features = spec.width, .value = spec.layer_scale}));
}

Tensor EncoderBlock::forward(const Tensor& x) {
  const auto as_it_is = [](const Tensor& branch) { return branch; };
  return run(x, as_it_is, as_it_is);
}

Tensor EncoderBlock::run(const Tensor& x, const BranchEnd& attn_end, const BranchEnd& mlp_end) {
  const Tensor attended = attn_->forward_normalized(x, *norm1_);
  const Tensor y = diagrad::add(x, finished(attended, ls1_.get(), attn_end));
  const Tensor fed = mlp_->forward_normalized(y, *norm2_);
  return diagrad::add(y, finished(fed, ls2_.get(), mlp_end));
}

Tensor EncoderBlock::finished(const Tensor& branch, LayerScale* scale, const BranchEnd& end) {
  return drop_path_->forward(end(scale != nullptr ? scale->forward(branch) : branch));
}

}  // namespace diagrad::nn
