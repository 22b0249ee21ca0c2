#pragma once

#include <vector>

#include "diagrad/train/optim/optimizer.h"

namespace diagrad::train {

struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
};

/// Stochastic gradient descent; formula at SgdUpdate. State: `momentum.<parameter>`.
class Sgd : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);
  void step(double lr, double gradient_scale = 1.0) override;
  void set_momentum(double momentum) override { options_.momentum = momentum; }
  nn::StateDict state() const override;

 private:
  SgdOptions options_;
  std::vector<std::vector<Tensor>> momentum_;  ///< empty without momentum
};

}  // namespace diagrad::train
