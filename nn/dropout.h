#pragma once

#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct DropoutSpec {
  double p = 0.5;  ///< probability of a zero, in [0, 1]
};

/// While training, multiplies elements of x by 0 with probability p and the others by 1 / (1 - p).
/// Each call takes the next mask of the innermost RandomScope and throws outside every
/// scope. In evaluation and at p = 0 it is the identity and takes none.
/// Source: Srivastava et al., "Dropout", JMLR 2014.
class Dropout : public Module {
 public:
  explicit Dropout(const DropoutSpec& spec);
  Tensor forward(const Tensor& x) override;
  /// Whether forward() is anything but the identity now.
  bool drops() const { return is_training() && spec_.p > 0.0; }

 private:
  DropoutSpec spec_;
};

/// The same for whole entries of the first axis, at the end of a residual branch: the samples that
/// are dropped skip the block.
/// Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016.
class DropPath : public Module {
 public:
  explicit DropPath(const DropoutSpec& spec);
  Tensor forward(const Tensor& x) override;

 private:
  DropoutSpec spec_;
};

}  // namespace diagrad::nn
