#pragma once

#include <vector>

#include "diagrad/train/optim/optimizer.h"

namespace diagrad::train {

struct AdamwOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Adam with decoupled weight decay; formula at AdamwUpdate. The bias correction counts the steps
/// of each parameter, those with a gradient. State: `first.<parameter>`, `second.<parameter>` and
/// `step.<parameter>`, an i64.
class Adamw : public Optimizer {
 public:
  Adamw(std::vector<ParameterGroup> groups, const AdamwOptions& options);
  void step(double lr, double gradient_scale = 1.0) override;
  void set_momentum(double momentum) override { options_.beta1 = momentum; }
  nn::StateDict state() const override;

 private:
  AdamwOptions options_;
  std::vector<std::vector<Tensor>> first_;
  std::vector<std::vector<Tensor>> second_;
  std::vector<std::vector<Tensor>> steps_;  ///< i64, one element each, in main memory
};

}  // namespace diagrad::train
