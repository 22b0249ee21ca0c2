#include "diagrad/autograd/node.h"

#include <atomic>
#include <utility>

#include "diagrad/core/error.h"

namespace diagrad::autograd {
namespace {

uint64_t next_sequence() {
  static std::atomic<uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

/// Nodes whose last handle fell while another node was being destroyed on this thread.
thread_local std::vector<std::shared_ptr<Node>>* graveyard = nullptr;

}  // namespace

Node::Node(const OpInfo& op, std::vector<Edge> inputs, std::vector<TensorInfo> outputs,
           BackwardFunction backward)
    : op_(op),
      sequence_(next_sequence()),
      label_(current_call()),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      backward_(std::move(backward)) {}

Node::Node(std::weak_ptr<AutogradMeta> leaf, const TensorInfo& info)
    : op_{.name = "leaf"},
      sequence_(next_sequence()),
      outputs_{info},
      leaf_(std::move(leaf)),
      is_leaf_(true) {}

Node::~Node() {
  if (inputs_.empty()) return;
  if (graveyard != nullptr) {
    for (Edge& edge : inputs_) graveyard->push_back(std::move(edge.node));
    return;
  }
  std::vector<std::shared_ptr<Node>> pending;
  graveyard = &pending;
  for (Edge& edge : inputs_) pending.push_back(std::move(edge.node));
  while (!pending.empty()) {
    const std::shared_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
  }
  graveyard = nullptr;
}

void Node::set_expansion(std::function<std::vector<Tensor>()> run) {
  expansion_ = std::move(run);
  is_checkpoint_ = true;
}

void Node::release() {
  backward_ = nullptr;
  expansion_ = nullptr;
  freed_ = !is_leaf_;
}

Edge producer_of(const Tensor& tensor) {
  if (!tensor.requires_grad()) return {};
  return static_cast<const AutogradMeta&>(*tensor.grad_meta()).producer;
}

size_t BackwardContext::output_index(int output) const {
  DG_CHECK(output >= 0 && static_cast<size_t>(output) < gradients_.size(),
           "backward of {}: there is no output {}, the operation has {}", op_name(), output,
           gradients_.size());
  return static_cast<size_t>(output);
}

size_t BackwardContext::input_index(int input) const {
  DG_CHECK(input >= 0 && static_cast<size_t>(input) < needed_.size(),
           "backward of {}: there is no input {}, the operation has {}", op_name(), input,
           needed_.size());
  return static_cast<size_t>(input);
}

Tensor BackwardContext::gradient(int output) const {
  const size_t index = output_index(output);
  if (gradients_[index].defined()) return gradients_[index];
  const TensorInfo& info = node_.outputs()[index];
  return Tensor::zeros(info.shape, info.dtype, info.device);
}

Tensor BackwardContext::reuse_grad_buffer(int output) const {
  const size_t index = output_index(output);
  const Tensor& gradient = gradients_[index];
  if (gradient.defined() && gradient.is_exclusive() && gradient.is_contiguous()) return gradient;
  const TensorInfo& info = node_.outputs()[index];
  return Tensor::empty(info.shape, info.dtype, info.device);
}

Tensor BackwardContext::take_grad_accumulator(int input) const {
  const size_t index = input_index(input);
  if (sums_.empty()) return {};
  Tensor* const sum = sums_[index];
  const bool own = sum != nullptr && sum->defined() && sum->is_exclusive() && sum->is_contiguous();
  return own ? std::exchange(*sum, Tensor()) : Tensor();
}

bool BackwardContext::has_gradient(int output) const {
  return gradients_[output_index(output)].defined();
}

}  // namespace diagrad::autograd
