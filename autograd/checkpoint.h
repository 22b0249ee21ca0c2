#pragma once

#include <functional>
#include <span>
#include <vector>

#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

using CheckpointFunction = std::function<std::vector<Tensor>(std::span<const Tensor> inputs)>;

/// Activation checkpointing: function(inputs), of which the graph keeps the inputs alone.
///
/// Backward runs the function once more on them, with a graph, which then takes the place of the
/// checkpoint in the pass: gradients add up in the order that they would have without it, so that
/// no bit changes, also those of parameters that are shared with other operations. Costs a second
/// forward pass of the function; saves what its operations save.
///
/// The function must give the same again: the same draws (nn/checkpoint.h takes care of random
/// layers) and no effect on anything outside; one that has effects asks is_recomputing(). It may
/// read other tensors than its inputs, such as parameters, which get gradients as ever. It is kept
/// until the graph is freed. Inputs may be undefined; outputs that need no gradient, and all where
/// recording is off, are those of the function.
///
/// Backward throws for an input that was changed in place since, and where the second run gives
/// other shapes, dtypes or another number of outputs.
std::vector<Tensor> checkpoint(const CheckpointFunction& function, std::span<const Tensor> inputs);

/// Whether backward runs the function of a checkpoint again on this thread: statistics of a batch
/// are not taken into account a second time.
bool is_recomputing();

}  // namespace diagrad::autograd
