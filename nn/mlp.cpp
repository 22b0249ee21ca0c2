#include "diagrad/nn/mlp.h"

#include "diagrad/core/error.h"
#include "diagrad/ops/linear.h"

namespace diagrad::nn {

Mlp::Mlp(const MlpSpec& spec, RandomStream& random) : gelu_(spec.gelu), dropout_p_(spec.dropout) {
  DG_CHECK(spec.features > 0 && spec.hidden > 0,
           "Mlp: {} features and {} hidden ones; both must be positive", spec.features,
           spec.hidden);
  fc1_ = add("fc1",
             Linear({.in_features = spec.features, .out_features = spec.hidden, .init = spec.init},
                    random));
  fc2_ = add("fc2",
             Linear({.in_features = spec.hidden, .out_features = spec.features, .init = spec.init},
                    random));
  dropout_ = add("dropout", Dropout({.p = spec.dropout}));
}

Tensor Mlp::forward(const Tensor& x) {
  return finished(fc1_->forward(x));
}

Tensor Mlp::forward_normalized(const Tensor& x, LayerNorm& norm) {
  return finished(norm.forward_into(x, *fc1_));
}

Tensor Mlp::finished(const Tensor& y) {
  const bool drops = is_training() && dropout_p_ > 0.0;
  if (!drops) return gelu_linear(y, fc2_->weight(), fc2_->bias(), gelu_);
  const Tensor hidden = gelu_ == GeluForm::exact ? gelu(y) : gelu_tanh(y);
  return dropout_->forward(fc2_->forward(dropout_->forward(hidden)));
}

}  // namespace diagrad::nn
