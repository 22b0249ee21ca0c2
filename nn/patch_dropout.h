#pragma once

#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct PatchDropoutSpec {
  double p = 0.5;             ///< share of the patches that is left out, in [0, 1)
  int64_t prefix_tokens = 0;  ///< tokens in front that stay, such as a class token
};

/// While training, keeps max(1, floor((1 - p) N)) of the N patches of each sample, drawn anew for
/// each sample, in their order, and the tokens in front of them: x [B, prefix + N, D]. Values are
/// not rescaled. Each call takes the next draw of the innermost RandomScope and throws outside
/// every scope. In evaluation and at p = 0 it is the identity and takes none.
/// Source: Liu et al., "PatchDropout: economizing vision transformers using patch dropout",
/// WACV 2023; timm.
class PatchDropout : public Module {
 public:
  explicit PatchDropout(const PatchDropoutSpec& spec);
  Tensor forward(const Tensor& x) override;

 private:
  PatchDropoutSpec spec_;
};

}  // namespace diagrad::nn
