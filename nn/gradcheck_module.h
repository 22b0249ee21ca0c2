#pragma once

#include <cstdint>
#include <vector>

#include "diagrad/autograd/gradcheck.h"
#include "diagrad/nn/module.h"

namespace diagrad::nn {

struct GradcheckModuleOptions {
  autograd::GradcheckOptions check = {};
  bool training = true;    ///< check in training mode
  bool evaluation = true;  ///< check in evaluation mode
  uint64_t seed = 1;       ///< of the masks of random layers, the same in every evaluation
  /// What is differentiated; by default module.forward(inputs[0]).
  autograd::TensorFunction forward = {};
};

/// Compares the gradients of every floating input and of every learned parameter of a module with
/// central differences in double precision, in both modes:
///
///     const auto result = gradcheck_module(net, {x});
///     CHECK_MESSAGE(result.passed, result.message);
///
/// A parameter whose derivative is wrong is reported by name, and so is one without any effect on
/// the output: forgotten in forward, or cut off from it. Inputs and module are converted to f64 for
/// the check; parameters, gradients, buffers and modes are afterwards what they were. Buffers are
/// put back and masks repeat before each evaluation; a module that gives another output all the
/// same fails. Throws for several inputs without `forward` and where gradcheck does.
autograd::GradcheckResult gradcheck_module(Module& module, const std::vector<Tensor>& inputs,
                                           const GradcheckModuleOptions& options = {});

}  // namespace diagrad::nn
