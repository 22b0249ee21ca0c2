#pragma once

#include <cstdint>

#include "diagrad/nn/state_dict.h"

namespace diagrad::train {

/// An exponential moving average of a model: of its parameters and of its floating-point buffers
/// (running statistics), so that it can be evaluated as it is; other buffers are copied.
/// After step s (counted from 1): average += (1 - d) (value - average), d = min(decay, s / (s +
/// 9)), so that the average forgets its random start in a short run too.
class Ema {
 public:
  /// `model`: handles of the live tensors, by name. The average starts as a copy.
  /// Throws for a decay outside [0, 1] and for two names of one tensor, which would be averaged and
  /// swapped twice.
  Ema(nn::StateDict model, double decay);

  /// Throws for a step below 1.
  void update(int64_t step) const;
  /// Exchanges the values of model and average, bit for bit; twice is as before.
  void swap() const;
  /// Handles of the average, by the model's names.
  const nn::StateDict& state() const { return average_; }

 private:
  nn::StateDict model_;
  nn::StateDict average_;
  double decay_;
};

/// Evaluates with the average in the model's place until the end of the scope.
class EmaScope {
 public:
  explicit EmaScope(const Ema& ema) : ema_(ema) { ema_.swap(); }
  ~EmaScope() { ema_.swap(); }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  const Ema& ema_;
};

}  // namespace diagrad::train
