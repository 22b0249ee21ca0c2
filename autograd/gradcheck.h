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
  double worst = 0.0;   ///< the largest scaled difference; NaN where there is one
  std::string message;  ///< input, index, expected and got of the worst element on failure
  explicit operator bool() const { return passed; }
};

using TensorFunction = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

/// Compares the gradients of <v, function(inputs)> for a fixed random v with central differences,
/// in double precision. Inputs that require gradients are checked. The function must be
/// repeatable; outputs that are no floating-point tensors are ignored, those that do not depend on
/// the inputs' graph count with a derivative of zero. A derivative that is NaN fails, and so does
/// one that is zero everywhere with differences that are too: it would prove nothing. Throws when
/// no input requires gradients, one that does is not contiguous, an input or output is f32 or bf16,
/// or no output is f64.
GradcheckResult gradcheck(const TensorFunction& function, std::span<const Tensor> inputs,
                          const GradcheckOptions& options = {});

}  // namespace diagrad::autograd
