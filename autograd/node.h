#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/core/tensor.h"

namespace diagrad::autograd {

class Node;
class BackwardContext;

/// One gradient per input, in input order; undefined where none was asked for.
using Gradients = std::vector<Tensor>;
using BackwardFunction = std::function<Gradients(const BackwardContext&)>;
/// Sees the whole gradient of a tensor; a defined result replaces it.
using TensorHook = std::function<Tensor(const Tensor& gradient)>;

/// What an operation says of itself when it is recorded.
struct OpInfo {
  const char* name = "";
  int64_t multiply_adds = 0;  ///< of the forward pass, nominal: padding counted
};

/// One use of a tensor by a node: output number `output` of `node`. Empty when no gradient flows.
struct Edge {
  std::shared_ptr<Node> node;
  int output = 0;
};

struct TensorInfo {
  Shape shape;
  DType dtype = DType::f32;
  Device device;
};

struct AutogradMeta;

/// A recorded operation, or the place where a leaf's gradient accumulates. Its edges point to
/// the producers of its inputs; sequence numbers grow along every path from leaf to root.
class Node {
 public:
  Node(const OpInfo& op, std::vector<Edge> inputs, std::vector<TensorInfo> outputs,
       BackwardFunction backward);
  /// The node of a leaf.
  Node(std::weak_ptr<AutogradMeta> leaf, const TensorInfo& info);
  /// Iterative: destroying the last handle of a long chain does not recurse.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const OpInfo& op() const { return op_; }
  uint64_t sequence() const { return sequence_; }
  const CallLabel& label() const { return label_; }
  std::span<const Edge> inputs() const { return inputs_; }
  std::span<const TensorInfo> outputs() const { return outputs_; }
  bool is_leaf() const { return is_leaf_; }
  std::shared_ptr<AutogradMeta> leaf() const { return leaf_.lock(); }

  bool has_rule() const { return is_leaf_ || freed_ || is_checkpoint_ || backward_ != nullptr; }
  bool freed() const { return freed_; }
  Gradients call(const BackwardContext& context) const { return backward_(context); }

  /// Makes the node a checkpoint (checkpoint.h): backward puts the graph behind the outputs that
  /// `run` gives, one for each output of the node, in its place.
  void set_expansion(std::function<std::vector<Tensor>()> run);
  bool is_checkpoint() const { return is_checkpoint_; }
  std::vector<Tensor> expand() const { return expansion_(); }

  /// Drops the derivative and what it saved.
  void release();

  struct HookEntry {
    uint64_t id;
    int output;
    TensorHook hook;
  };
  std::vector<HookEntry>& hooks() { return hooks_; }

 private:
  OpInfo op_;
  uint64_t sequence_;
  CallLabel label_;
  std::vector<Edge> inputs_;
  std::vector<TensorInfo> outputs_;
  BackwardFunction backward_;
  std::function<std::vector<Tensor>()> expansion_;
  std::weak_ptr<AutogradMeta> leaf_;
  std::vector<HookEntry> hooks_;
  bool is_leaf_ = false;
  bool is_checkpoint_ = false;
  bool freed_ = false;
};

/// How a tensor follows from what its own node saves. An operation that would save the tensor may
/// save this and make the values again as it needs them; both then share the memory.
struct Recompute {
  Recompute() = default;
  virtual ~Recompute() = default;
  Recompute(const Recompute&) = delete;
  Recompute& operator=(const Recompute&) = delete;
};

/// The autograd side of a tensor: which node made it.
struct AutogradMeta : GradMeta {
  Edge producer;
  std::weak_ptr<const Recompute> recompute;  ///< owned by the node, freed with what that saves
  uint32_t recompute_version = 0;            ///< of the data that the recompute gives
};

/// The edge to the producer of `tensor`; empty when it requires no gradient.
Edge producer_of(const Tensor& tensor);

/// What a derivative sees: the gradients of the outputs and which inputs want one. Everything that
/// takes the number of an input or output throws for one that the operation does not have.
class BackwardContext {
 public:
  /// `sums` may be empty; else, per input, the sum of its gradients so far, or null.
  BackwardContext(const Node& node, std::span<const Tensor> gradients, std::vector<bool> needed,
                  std::span<Tensor* const> sums = {})
      : node_(node), gradients_(gradients), needed_(std::move(needed)), sums_(sums) {}

  const char* op_name() const { return node_.op().name; }
  /// The gradient of an output, zeros where nothing flowed into it. Any strides.
  Tensor gradient(int output = 0) const;
  /// Whether a gradient flowed into the output.
  bool has_gradient(int output) const;
  /// Whether the gradient of this input is asked for.
  bool needs(int input) const { return needed_[input_index(input)]; }

  // Two ways to touch less memory. Both give a contiguous tensor that nobody else sees.

  /// A place for values of the shape of gradient(output): that gradient itself, to be written over
  /// as it is read, if nobody else holds it (so ask before holding it), else a new tensor.
  Tensor reuse_grad_buffer(int output = 0) const;
  /// The sum of the gradients that this input has got so far, for a derivative that adds its own
  /// in place and returns it. Given once; undefined where there is none to be changed.
  Tensor take_grad_accumulator(int input) const;

 private:
  size_t output_index(int output) const;
  size_t input_index(int input) const;

  const Node& node_;
  std::span<const Tensor> gradients_;
  std::vector<bool> needed_;
  std::span<Tensor* const> sums_;
};

}  // namespace diagrad::autograd
