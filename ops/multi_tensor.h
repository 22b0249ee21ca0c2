#pragma once

#include <cstdint>
#include <span>

#include "diagrad/core/tensor.h"

namespace diagrad {

// In-place updates of many tensors in one call: the kernels walk all tensors as one range, so many
// small tensors cost no more than one large one. Nothing is recorded; every tensor that changes
// counts a version. The tensors of one item are contiguous, of one shape and one floating dtype;
// all items are on one device. Otherwise throws Error(usage) with the item's position. An empty
// list changes nothing. Results do not depend on the number of threads.

/// The tensors of one parameter under SGD. Without a buffer the momentum has no effect.
struct SgdTensors {
  Tensor parameter, gradient, buffer;
};

struct SgdHyperparameters {
  double lr = 0.0;
  double momentum = 0.0;
  double weight_decay = 0.0;
  double gradient_scale = 1.0;  ///< every gradient is multiplied by it first
  bool nesterov = false;
};

/// One step of SGD with momentum: parameter and buffer change; formula at SgdUpdate.
void multi_tensor_sgd(std::span<const SgdTensors> items, const SgdHyperparameters& values);

/// The tensors of one parameter under AdamW and the number of its step, counted from 1, which the
/// bias correction depends on.
struct AdamwTensors {
  Tensor parameter, gradient, first_moment, second_moment;
  int64_t step = 1;
};

struct AdamwHyperparameters {
  double lr = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double gradient_scale = 1.0;  ///< every gradient is multiplied by it first
};

/// One step of AdamW: parameter and moments change; formula at AdamwUpdate. Throws where a step is
/// below 1.
void multi_tensor_adamw(std::span<const AdamwTensors> items, const AdamwHyperparameters& values);

/// x moves towards target.
struct LerpTensors {
  Tensor x, target;
};

/// x += weight * (target - x).
void multi_tensor_lerp(std::span<const LerpTensors> items, double weight);

/// The sum of the squares of all elements of all tensors, in double precision, in a fixed order; 0
/// for an empty list. Not finite if and only if an element is not finite or the sum overflows.
double sum_of_squares(std::span<const Tensor> tensors);

}  // namespace diagrad
