#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "diagrad/autograd/node.h"
#include "diagrad/core/tensor.h"

namespace diagrad {

struct BackwardOptions {
  bool retain_graph = false;  ///< keep what the operations saved, for another backward
};

/// Adds d(root)/d(leaf) to the gradient of every leaf that `root` depends on. `gradient` is the
/// gradient of `root` itself, of its shape; it may be left out for a tensor with one element.
/// The graph is freed as the pass goes unless retained. Runs iteratively on the calling thread,
/// in an order that depends on the graph alone: later operations first.
///
/// The gradients carry no graph: there are no second derivatives. An operation that takes one
/// beside what requires gradients throws; detach() makes it a constant.
///
/// Throws: root does not require gradients; root has more than one element and no gradient was
/// given; the graph was freed by an earlier backward; a saved tensor was changed in place; an
/// operation has no derivative; a derivative returns the wrong count, shape, dtype or device.
void backward(const Tensor& root, const Tensor& gradient = {}, const BackwardOptions& options = {});

namespace autograd {

/// The gradients of sum_i <vectors[i], outputs[i]> with respect to `inputs`, leaves or not;
/// `vectors` may be empty when every output has one element. Leaves' own gradients are not
/// touched, and only what leads to `inputs` is computed. An input the outputs do not depend on
/// gets an undefined gradient. Throws as backward().
std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> vectors = {}, const BackwardOptions& options = {});
std::vector<Tensor> grad(std::initializer_list<Tensor> outputs,
                         std::initializer_list<Tensor> inputs,
                         std::initializer_list<Tensor> vectors = {},
                         const BackwardOptions& options = {});

/// Identifies a hook for remove_hook.
struct HookHandle {
  std::weak_ptr<Node> node;
  uint64_t id = 0;
};

/// Calls `hook` with the whole gradient of `tensor` in each backward that reaches it, before it
/// flows on; a defined result replaces the gradient. Throws when the tensor requires no gradient.
HookHandle add_hook(const Tensor& tensor, TensorHook hook);
void remove_hook(const HookHandle& handle);

/// Makes a tensor that is not a leaf keep its gradient: grad() is set by each backward. A leaf does
/// so anyway, and is left as it is. Throws when the tensor requires no gradient.
void retain_grad(const Tensor& tensor);

/// Hears each gradient as it crosses an edge (one use of one tensor by one node). `call` tells
/// the gradient apart by the call labels it came through; see GradientTrace.
class EdgeListener {
 public:
  virtual ~EdgeListener() = default;
  virtual void on_edge(const Node& consumer, const Edge& edge, const CallLabel& call,
                       const Tensor& gradient) = 0;
};

/// Installs a listener for backward passes of the current thread; returns the one before.
EdgeListener* set_edge_listener(EdgeListener* listener);

}  // namespace autograd
}  // namespace diagrad
