#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

struct GradcheckOptions {
  double step = 1e-6;                   ///< of the central difference, scaled by max(1, |x|)
  double tolerance = 1e-6;              ///< on |analytic - numeric| / max(1, largest |numeric|)
  int64_t max_elements = 64;            ///< per input; larger ones are sampled by `seed`
  uint64_t seed = 1;                    ///< of the random vector and the sample
  std::vector<std::string> names = {};  ///< of the checked inputs; else "input 0", ...
};

struct GradcheckResult {
  bool passed = true;
  double worst = 0.0;   ///< the largest scaled difference
  std::string message;  ///< input, index, expected and got of the worst element on failure
  explicit operator bool() const { return passed; }
};

using TensorFunction = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

/// Compares the gradients of <v, function(inputs)> for a fixed random v with central differences,
/// in double precision. Only inputs that require gradients are checked; at least one must, and
/// all floating inputs must be f64 (throws otherwise). The function must be repeatable; outputs
/// that are not floating point are ignored. An all-zero gradient whose differences are all zero
/// too fails: such a check would prove nothing.
GradcheckResult gradcheck(const TensorFunction& function, std::span<const Tensor> inputs,
                          const GradcheckOptions& options = {});

}  // namespace diagrad::autograd
