#include "diagrad/autograd/engine.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "diagrad/autograd/accumulate.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/observer.h"
#include "diagrad/core/error.h"

namespace diagrad {
namespace autograd {
namespace {

thread_local EdgeListener* edge_listener = nullptr;

/// The first gradient moves in; later ones are added in place where nobody else sees the buffer.
void accumulate(Tensor& sum, Tensor gradient) {
  if (!sum.defined()) {
    sum = std::move(gradient);
  } else if (sum.is_exclusive() && sum.is_contiguous()) {
    add_gradients(sum, gradient, sum);
  } else {
    sum = add_gradients(sum, gradient, Tensor::empty_like(sum));
  }
}

void accumulate_leaf(AutogradMeta& meta, Tensor gradient) {
  // A gradient set by the user may be a view that repeats elements; it is no place to add to.
  if (meta.grad != nullptr && !meta.grad->is_contiguous()) *meta.grad = meta.grad->clone();
  if (meta.grad != nullptr) {
    meta.grad->bump_version();
    add_gradients(*meta.grad, gradient, *meta.grad);
  } else {
    const bool own = gradient.is_exclusive() && gradient.is_contiguous();
    meta.grad = std::make_unique<Tensor>(own ? std::move(gradient) : gradient.clone());
  }
  meta.grad->set_lost_graph(LostGraph::gradient);
}

/// A handle of the data for whoever looks at a gradient from outside. Not the one of the pass: that
/// may be a tensor of the user's, which a derivative returned.
Tensor as_gradient(const Tensor& gradient) {
  Tensor handle = gradient.detach();
  handle.set_lost_graph(LostGraph::gradient);
  return handle;
}

const char* reason_without_graph(const Tensor& tensor) {
  switch (tensor.lost_graph()) {
    case LostGraph::gradient:
      return ": it is a gradient, or computed from one, and gradients carry no graph";
    case LostGraph::no_grad:
      return ": it was computed while recording was off (NoGrad); leave that scope before the "
             "forward pass";
    case LostGraph::none:
      break;
  }
  return "";
}

/// A parameter seen through single-input operations outside every call scope: gradients of
/// different calls that meet there are kept apart for the listener.
bool leads_straight_to_leaf(const Node* node) {
  while (!node->is_leaf()) {
    if (node->label().defined() || node->is_checkpoint() || node->inputs().size() != 1) {
      return false;
    }
    const Edge& edge = node->inputs().front();
    if (edge.node == nullptr) return false;
    node = edge.node.get();
  }
  return true;
}

struct Contribution {
  CallLabel call;
  Tensor gradient;
};

class Pass {
 public:
  Pass(bool to_leaves, bool retain_graph) : to_leaves_(to_leaves), retain_graph_(retain_graph) {}

  void add_root(const Tensor& output, const Tensor& gradient);
  /// Makes run() keep the gradient that arrives at `input`.
  void capture(const Tensor& input);
  void run();
  Tensor captured(const Tensor& input) const;

 private:
  using Slot = std::pair<const Node*, int>;
  struct SlotHash {
    size_t operator()(const Slot& slot) const {
      return std::hash<const void*>()(slot.first) * 31U + static_cast<size_t>(slot.second);
    }
  };

  /// Adds the nodes behind `roots` that are not known yet to those to be processed.
  void discover(std::span<const Edge> roots);
  void check(const Node& node) const;
  void process(Node& node);
  void add_gradient(const Edge& edge, Tensor gradient);
  void expand(Node& node, std::vector<Tensor> gradients);
  void apply_hooks(Node& node, std::vector<Tensor>& gradients);
  Gradients call(const Node& node, std::span<const Tensor> gradients,
                 std::span<Tensor* const> sums) const;
  std::vector<Tensor*> sums_of_inputs(const Node& node);
  void pass_on(const Node& node, Gradients gradients);
  void split_on(const Node& node);
  bool needed(const Node& node) const { return needed_.count(&node) != 0; }
  /// Whether the gradient of some input is asked for.
  bool leads_on(const Node& node) const;

  bool to_leaves_;
  bool retain_graph_;
  std::vector<Edge> roots_;
  std::vector<Node*>
      order_;  // still to be processed, the next one, which is the latest, at the end
  std::unordered_set<const Node*> seen_;
  std::unordered_set<const Node*> expanded_;  // made by this pass, for checkpoints
  std::vector<Edge> expansions_;              // keep those alive: they are known by their addresses
  std::unordered_set<const Node*> needed_;
  std::unordered_map<const Node*, std::vector<Tensor>> pending_;
  std::unordered_map<const Node*, std::vector<Contribution>> splits_;
  std::unordered_map<Slot, Tensor, SlotHash> captures_;
};

void Pass::add_root(const Tensor& output, const Tensor& gradient) {
  DG_CHECK(output.requires_grad(),
           "backward: the root of shape {} does not depend on any tensor that requires gradients{}",
           output.shape(), reason_without_graph(output));
  DG_CHECK(gradient.defined() || output.numel() == 1,
           "backward: the root has shape {}; a gradient of that shape is needed for a tensor with "
           "more than one element (or reduce it with sum or mean)",
           output.shape());
  DG_CHECK(!gradient.defined() ||
               (gradient.shape() == output.shape() && gradient.dtype() == output.dtype()),
           "backward: the given gradient is {} {}, the root {} {}", gradient.dtype(),
           gradient.shape(), output.dtype(), output.shape());
  const Edge edge = producer_of(output);
  roots_.push_back(edge);
  add_gradient(edge, gradient.defined() ? gradient.detach() : Tensor::ones_like(output));
}

void Pass::capture(const Tensor& input) {
  DG_CHECK(input.requires_grad(), "grad: an input of shape {} does not require gradients{}",
           input.shape(), reason_without_graph(input));
  const Edge edge = producer_of(input);
  captures_[{edge.node.get(), edge.output}];
  needed_.insert(edge.node.get());
}

void Pass::discover(std::span<const Edge> roots) {
  std::vector<Node*> found;
  std::vector<Node*> stack;
  const auto visit = [&](const Edge& edge) {
    if (edge.node != nullptr && seen_.insert(edge.node.get()).second) {
      stack.push_back(edge.node.get());
    }
  };
  for (const Edge& root : roots) visit(root);
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    found.push_back(node);
    for (const Edge& edge : node->inputs()) visit(edge);
  }
  // Inputs are always older than what is computed from them, so age is a topological order.
  const auto is_older = [](const Node* a, const Node* b) { return a->sequence() < b->sequence(); };
  std::sort(found.begin(), found.end(), is_older);
  for (const Node* node : found) {
    // What a checkpoint leads to shows when it is expanded.
    if (leads_on(*node) || node->is_checkpoint() || (to_leaves_ && node->is_leaf())) {
      needed_.insert(node);
    }
  }
  for (auto node = found.rbegin(); node != found.rend(); ++node) check(**node);
  const auto middle = static_cast<std::ptrdiff_t>(order_.size());
  order_.insert(order_.end(), found.begin(), found.end());
  std::inplace_merge(order_.begin(), order_.begin() + middle, order_.end(), is_older);
}

bool Pass::leads_on(const Node& node) const {
  const auto inputs = node.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const Edge& edge) { return edge.node != nullptr && needed(*edge.node); });
}

void Pass::check(const Node& node) const {
  if (!leads_on(node) && !node.is_checkpoint()) return;
  DG_CHECK(!node.freed(),
           "backward: the graph behind {} was freed by an earlier backward; pass "
           "{{.retain_graph = true}} to the first one, or run the forward pass again",
           node.op().name);
  DG_CHECK(node.has_rule(),
           "backward: operation {} has no derivative; use detach() or no_grad around it",
           node.op().name);
}

void Pass::run() {
  discover(roots_);
  const NoGrad no_grad;
  while (!order_.empty()) {
    Node* const node = order_.back();
    order_.pop_back();
    if (needed(*node)) process(*node);
    pending_.erase(node);
  }
}

void Pass::apply_hooks(Node& node, std::vector<Tensor>& gradients) {
  // Of a copy: a hook may remove itself or add others, which count from the next pass on.
  const std::vector<Node::HookEntry> hooks = node.hooks();
  for (const Node::HookEntry& entry : hooks) {
    Tensor& gradient = gradients[static_cast<size_t>(entry.output)];
    if (!gradient.defined()) continue;
    if (Tensor replaced = entry.hook(as_gradient(gradient)); replaced.defined()) {
      DG_CHECK(replaced.shape() == gradient.shape() && replaced.dtype() == gradient.dtype(),
               "hook on the result of {}: returned {} {}, expected {} {}", node.op().name,
               replaced.dtype(), replaced.shape(), gradient.dtype(), gradient.shape());
      gradient = std::move(replaced);
    }
  }
}

void Pass::process(Node& node) {
  const auto found = pending_.find(&node);
  if (found == pending_.end()) return;
  std::vector<Tensor> gradients = std::move(found->second);
  apply_hooks(node, gradients);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const auto captured = captures_.find({&node, static_cast<int>(i)});
    if (captured != captures_.end()) captured->second = gradients[i];
  }
  if (node.is_leaf()) {
    const auto meta = node.leaf();
    if (to_leaves_ && meta != nullptr) accumulate_leaf(*meta, std::move(gradients.front()));
    return;
  }
  if (node.is_checkpoint()) {
    expand(node, std::move(gradients));
    return;
  }
  if (!leads_on(node)) return;
  OpObserver* observer = current_observer();
  if (observer != nullptr) observer->on_backward_start(node.op(), gradients);
  Gradients results = call(node, gradients, sums_of_inputs(node));
  gradients.clear();
  if (observer != nullptr) observer->on_backward(node.op(), results);
  if (edge_listener != nullptr) split_on(node);
  pass_on(node, std::move(results));
  if (!retain_graph_ || expanded_.count(&node) != 0) node.release();
}

/// The gradients of a checkpoint's outputs become those of the same outputs of its second run.
void Pass::expand(Node& node, std::vector<Tensor> gradients) {
  const std::vector<Tensor> outputs = node.expand();
  DG_CHECK(outputs.size() == gradients.size(),
           "backward of checkpoint: the function gave {} results, run again {}", gradients.size(),
           outputs.size());
  std::vector<Edge> roots;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const Tensor& output = outputs[i];
    const TensorInfo& info = node.outputs()[i];
    DG_CHECK(output.requires_grad() && output.shape() == info.shape && output.dtype() == info.dtype,
             "backward of checkpoint: run again, result {} of the function is not {} {} with a "
             "gradient, as at first; it must give the same each time",
             i, info.dtype, info.shape);
    roots.push_back(producer_of(output));
    add_gradient(roots.back(), std::move(gradients[i]));
  }
  discover(roots);
  // What else is younger than the checkpoint was processed before it.
  for (auto made = order_.rbegin(); made != order_.rend(); ++made) {
    if ((*made)->sequence() < node.sequence()) break;
    expanded_.insert(*made);
  }
  expansions_.insert(expansions_.end(), roots.begin(), roots.end());
  if (!retain_graph_ || expanded_.count(&node) != 0) node.release();
}

/// The slots where the inputs' gradients are summed up. A listener hears every gradient by itself,
/// so there the derivatives add nothing.
std::vector<Tensor*> Pass::sums_of_inputs(const Node& node) {
  std::vector<Tensor*> sums;
  if (edge_listener != nullptr) return sums;
  for (const Edge& edge : node.inputs()) {
    const auto found = edge.node == nullptr ? pending_.end() : pending_.find(edge.node.get());
    sums.push_back(found == pending_.end() ? nullptr
                                           : &found->second[static_cast<size_t>(edge.output)]);
  }
  return sums;
}

Gradients Pass::call(const Node& node, std::span<const Tensor> gradients,
                     std::span<Tensor* const> sums) const {
  const auto inputs = node.inputs();
  std::vector<bool> wanted(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    wanted[i] = inputs[i].node != nullptr && needed(*inputs[i].node);
  }
  Gradients results = node.call(BackwardContext(node, gradients, wanted, sums));
  DG_CHECK(results.size() == inputs.size(), "backward of {}: returned {} gradients for {} inputs",
           node.op().name, results.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) {
      results[i] = Tensor();
      continue;
    }
    const TensorInfo& info = inputs[i].node->outputs()[static_cast<size_t>(inputs[i].output)];
    DG_CHECK(results[i].defined(), "backward of {}: no gradient returned for input {}",
             node.op().name, i);
    DG_CHECK(results[i].shape() == info.shape && results[i].dtype() == info.dtype &&
                 results[i].device() == info.device,
             "backward of {}: the gradient of input {} is {} {} on {}, expected {} {} on {}",
             node.op().name, i, results[i].dtype(), results[i].shape(), results[i].device().str(),
             info.dtype, info.shape, info.device.str());
  }
  return results;
}

void Pass::pass_on(const Node& node, Gradients gradients) {
  const auto inputs = node.inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const Edge& edge = inputs[i];
    if (edge_listener != nullptr && splits_.count(&node) == 0) {
      edge_listener->on_edge(node, edge, node.label(), gradients[i]);
      if (!edge.node->is_leaf() && leads_straight_to_leaf(edge.node.get())) {
        splits_[edge.node.get()].push_back({node.label(), gradients[i]});
      }
    }
    add_gradient(edge, std::move(gradients[i]));
  }
}

void Pass::add_gradient(const Edge& edge, Tensor gradient) {
  auto& slots = pending_[edge.node.get()];
  slots.resize(edge.node->outputs().size());
  accumulate(slots[static_cast<size_t>(edge.output)], std::move(gradient));
}

/// Runs the derivative of a node where several calls met once more for each of them: it is linear
/// in the gradient, so the results are each call's own share.
void Pass::split_on(const Node& node) {
  const auto found = splits_.find(&node);
  if (found == splits_.end()) return;
  for (const Contribution& part : found->second) {
    const Tensor gradient = part.gradient;
    const Gradients results = call(node, {&gradient, 1}, {});
    const Edge& edge = node.inputs().front();
    edge_listener->on_edge(node, edge, part.call, results.front());
    if (!edge.node->is_leaf()) splits_[edge.node.get()].push_back({part.call, results.front()});
  }
}

Tensor Pass::captured(const Tensor& input) const {
  const Edge edge = producer_of(input);
  return captures_.at({edge.node.get(), edge.output});
}

}  // namespace

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> vectors, const BackwardOptions& options) {
  DG_CHECK(vectors.empty() || vectors.size() == outputs.size(),
           "grad: {} vectors given for {} outputs", vectors.size(), outputs.size());
  Pass pass(/*to_leaves=*/false, options.retain_graph);
  for (size_t i = 0; i < outputs.size(); ++i) {
    pass.add_root(outputs[i], vectors.empty() ? Tensor() : vectors[i]);
  }
  for (const Tensor& input : inputs) pass.capture(input);
  pass.run();
  std::vector<Tensor> results;
  results.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    const Tensor gradient = pass.captured(input);
    results.push_back(gradient.defined() ? as_gradient(gradient) : gradient);
  }
  return results;
}

std::vector<Tensor> grad(std::initializer_list<Tensor> outputs,
                         std::initializer_list<Tensor> inputs,
                         std::initializer_list<Tensor> vectors, const BackwardOptions& options) {
  return grad(std::span(outputs.begin(), outputs.size()), std::span(inputs.begin(), inputs.size()),
              std::span(vectors.begin(), vectors.size()), options);
}

HookHandle add_hook(const Tensor& tensor, TensorHook hook) {
  DG_CHECK(tensor.requires_grad(), "add_hook: the tensor of shape {} does not require gradients",
           tensor.shape());
  static std::atomic<uint64_t> counter{0};
  const Edge edge = producer_of(tensor);
  const uint64_t id = counter.fetch_add(1);
  edge.node->hooks().push_back({id, edge.output, std::move(hook)});
  return {edge.node, id};
}

void remove_hook(const HookHandle& handle) {
  const auto node = handle.node.lock();
  if (node == nullptr) return;
  std::erase_if(node->hooks(), [&](const Node::HookEntry& entry) { return entry.id == handle.id; });
}

void retain_grad(const Tensor& tensor) {
  DG_CHECK(tensor.requires_grad(), "retain_grad: the tensor of shape {} does not require gradients",
           tensor.shape());
  if (producer_of(tensor).node->is_leaf()) return;
  const std::weak_ptr<GradMeta> meta = tensor.grad_meta();
  add_hook(tensor, [meta](const Tensor& gradient) {
    if (const auto alive = meta.lock()) alive->grad = std::make_unique<Tensor>(gradient);
    return Tensor();
  });
}

EdgeListener* set_edge_listener(EdgeListener* listener) {
  return std::exchange(edge_listener, listener);
}

}  // namespace autograd

void backward(const Tensor& root, const Tensor& gradient, const BackwardOptions& options) {
  autograd::Pass pass(/*to_leaves=*/true, options.retain_graph);
  pass.add_root(root, gradient);
  pass.run();
}

}  // namespace diagrad
