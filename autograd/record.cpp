#include "diagrad/autograd/record.h"

#include <algorithm>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/observer.h"
#include "diagrad/core/error.h"

namespace diagrad::autograd {
namespace {

bool any_requires_grad(std::span<const Tensor> inputs) {
  return grad_enabled() && std::any_of(inputs.begin(), inputs.end(),
                                       [](const Tensor& input) { return input.requires_grad(); });
}

/// What the results of an operation that is not recorded have lost. A gradient under no_grad is a
/// constant, as everything is there.
LostGraph lost_by(std::span<const Tensor> inputs) {
  LostGraph lost = LostGraph::none;
  for (const Tensor& input : inputs) {
    if (!input.defined()) continue;
    const LostGraph own = input.requires_grad() ? LostGraph::no_grad : input.lost_graph();
    if (own == LostGraph::gradient && grad_enabled()) return own;
    if (own == LostGraph::no_grad) lost = own;
  }
  return lost;
}

void mark(std::span<Tensor> outputs, LostGraph reason) {
  for (const Tensor& output : outputs) {
    if (is_floating(output.dtype())) output.set_lost_graph(reason);
  }
}

void check_no_gradient_input(const OpInfo& op, std::span<const Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    DG_CHECK(!input.defined() || input.requires_grad() || input.lost_graph() != LostGraph::gradient,
             "{}: input {} of shape {} is a gradient, or computed from one, beside an input that "
             "requires gradients; gradients carry no graph, so its derivative would be missing; "
             "use its detach() as a constant",
             op.name, i, input.shape());
  }
}

void attach(const OpInfo& op, std::span<const Tensor> inputs, std::span<Tensor> outputs,
            BackwardFunction backward) {
  if (OpObserver* observer = current_observer()) observer->on_forward(op, inputs, outputs);
  if (!any_requires_grad(inputs)) {
    mark(outputs, lost_by(inputs));
    return;
  }
  check_no_gradient_input(op, inputs);
  std::vector<Edge> edges;
  edges.reserve(inputs.size());
  for (const Tensor& input : inputs) edges.push_back(producer_of(input));
  std::vector<TensorInfo> infos;
  infos.reserve(outputs.size());
  for (const Tensor& output : outputs) {
    infos.push_back({output.shape(), output.dtype(), output.device()});
  }
  const auto node =
      std::make_shared<Node>(op, std::move(edges), std::move(infos), std::move(backward));
  for (size_t i = 0; i < outputs.size(); ++i) {
    DG_ASSERT(!outputs[i].requires_grad(), "{}: output {} belongs to a graph already", op.name, i);
    auto meta = std::make_shared<AutogradMeta>();
    meta->requires_grad = true;
    meta->producer = {node, static_cast<int>(i)};
    outputs[i].set_lost_graph(LostGraph::none);
    outputs[i].set_grad_meta(std::move(meta));
  }
}

}  // namespace

Tensor record(const OpInfo& op, std::span<const Tensor> inputs, Tensor output,
              BackwardFunction backward) {
  attach(op, inputs, {&output, 1}, std::move(backward));
  return output;
}

Tensor record(const OpInfo& op, std::initializer_list<Tensor> inputs, Tensor output,
              BackwardFunction backward) {
  return record(op, std::span(inputs.begin(), inputs.size()), std::move(output),
                std::move(backward));
}

std::vector<Tensor> record(const OpInfo& op, std::span<const Tensor> inputs,
                           std::vector<Tensor> outputs, BackwardFunction backward) {
  attach(op, inputs, outputs, std::move(backward));
  return outputs;
}

void set_recompute(const Tensor& output, const std::shared_ptr<const Recompute>& recompute) {
  auto* const meta = dynamic_cast<AutogradMeta*>(output.grad_meta().get());
  if (meta == nullptr) return;
  meta->recompute = recompute;
  meta->recompute_version = output.version();
}

std::shared_ptr<const Recompute> recompute_of(const Tensor& tensor) {
  const auto* const meta = dynamic_cast<const AutogradMeta*>(tensor.grad_meta().get());
  if (meta == nullptr || meta->recompute_version != tensor.version()) return nullptr;
  return meta->recompute.lock();
}

bool records(std::initializer_list<Tensor> inputs) {
  return any_requires_grad({inputs.begin(), inputs.size()});
}

}  // namespace diagrad::autograd
