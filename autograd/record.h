#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "diagrad/autograd/node.h"
#include "diagrad/autograd/saved_tensor.h"
#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

/// Makes `output` the result of a differentiable operation on `inputs`: the way every operation,
/// ours or a user's, enters the graph.
///
///     Tensor square(const Tensor& x) {
///       Tensor y = ...;                                     // the forward pass, no graph
///       return autograd::record({"square"}, {x}, y,
///           [x = autograd::SavedTensor(x)](const autograd::BackwardContext& context) {
///             return autograd::Gradients{... 2 * x.get(context) * context.gradient() ...};
///           });
///     }
///
/// `output` must be fresh (made by this operation, or a strided view it made). The derivative
/// returns one gradient per input with the input's shape and dtype, undefined where
/// context.needs(i) is false. Nothing is recorded, and what was saved is dropped, when no input
/// requires a gradient or recording is off. A null derivative is an operation without a rule:
/// backward through it throws. Inputs may be undefined (an absent bias).
///
/// Gradients carry no graph: throws for an input that is a result of backward() or grad(), or was
/// computed from one, beside an input that requires gradients. Its detach() is a constant.
Tensor record(const OpInfo& op, std::initializer_list<Tensor> inputs, Tensor output,
              BackwardFunction backward);
Tensor record(const OpInfo& op, std::span<const Tensor> inputs, Tensor output,
              BackwardFunction backward);
std::vector<Tensor> record(const OpInfo& op, std::span<const Tensor> inputs,
                           std::vector<Tensor> outputs, BackwardFunction backward);

/// Adds a recompute to a result of record(); the backward function owns it, so it goes with what
/// that saves. Does nothing where record() made no node.
void set_recompute(const Tensor& output, const std::shared_ptr<const Recompute>& recompute);
/// The recompute of `tensor`; null where there is none, where the data was changed in place since
/// or where the graph was freed.
std::shared_ptr<const Recompute> recompute_of(const Tensor& tensor);

/// Whether record() would make a node for these inputs; lets an operation skip work whose only
/// use is the backward pass.
bool records(std::initializer_list<Tensor> inputs);

}  // namespace diagrad::autograd
