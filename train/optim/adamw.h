#pragma once

#include <vector>

#include "diagrad/train/optim/optimizer.h"

namespace diagrad::train {

struct AdamwOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Adam with decoupled weight decay; formula at AdamwUpdate. State: `first.<parameter>`,
/// `second.<parameter>` and `steps`, the number of steps made.
class Adamw : public Optimizer {
 public:
  Adamw(std::vector<ParameterGroup> groups, const AdamwOptions& options);
  void step(double lr, double gradient_scale = 1.0) override;
  void set_momentum(double momentum) override { options_.beta1 = momentum; }
  TensorMap state() const override;

 private:
  AdamwOptions options_;
  Tensor steps_;  ///< i64, one element, in main memory
  std::vector<std::vector<Tensor>> first_;
  std::vector<std::vector<Tensor>> second_;
};

}  // namespace diagrad::train
