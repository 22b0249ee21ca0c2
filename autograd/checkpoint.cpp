#include "diagrad/autograd/checkpoint.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "diagrad/autograd/call_scope.h"
#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/node.h"
#include "diagrad/core/error.h"

namespace diagrad::autograd {
namespace {

thread_local bool recomputing = false;

/// With a graph, and with the label that the checkpoint has.
class RecomputingScope {
 public:
  explicit RecomputingScope(const CallLabel& label) : before_(std::exchange(recomputing, true)) {
    if (label.defined()) call_.emplace(*label.unit, label.call);
  }
  ~RecomputingScope() { recomputing = before_; }
  RecomputingScope(const RecomputingScope&) = delete;
  RecomputingScope& operator=(const RecomputingScope&) = delete;

 private:
  GradMode mode_{true};
  std::optional<CallScope> call_;
  bool before_;
};

/// The inputs as they were, with their graph.
class SavedInputs {
 public:
  explicit SavedInputs(std::span<const Tensor> inputs) : inputs_(inputs.begin(), inputs.end()) {
    for (const Tensor& input : inputs) versions_.push_back(input.defined() ? input.version() : 0);
  }

  std::span<const Tensor> get() const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      DG_CHECK(!inputs_[i].defined() || inputs_[i].version() == versions_[i],
               "backward of checkpoint: input {} of shape {} was changed in place since (version "
               "{}, saved at {}); change a clone() instead, or change it after backward",
               i, inputs_[i].shape(), inputs_[i].version(), versions_[i]);
    }
    return inputs_;
  }

 private:
  std::vector<Tensor> inputs_;
  std::vector<uint32_t> versions_;
};

}  // namespace

bool is_recomputing() {
  return recomputing;
}

std::vector<Tensor> checkpoint(const CheckpointFunction& function, std::span<const Tensor> inputs) {
  // With a graph, which is dropped: the operations run as they will in the second run.
  const std::vector<Tensor> results = function(inputs);
  const auto needs_gradient = [](const Tensor& result) { return result.requires_grad(); };
  if (std::none_of(results.begin(), results.end(), needs_gradient)) return results;
  std::vector<Edge> edges;
  for (const Tensor& input : inputs) edges.push_back(producer_of(input));
  std::vector<TensorInfo> infos;
  for (const Tensor& result : results) {
    infos.push_back(result.defined() ? TensorInfo{result.shape(), result.dtype(), result.device()}
                                     : TensorInfo());
  }
  const auto node = std::make_shared<Node>(OpInfo{"checkpoint"}, std::move(edges), std::move(infos),
                                           BackwardFunction());
  node->set_expansion([function, saved = SavedInputs(inputs), label = current_call()] {
    const RecomputingScope scope(label);
    return function(saved.get());
  });
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    outputs.push_back(results[i]);
    if (!needs_gradient(results[i])) continue;
    outputs[i] = results[i].detach();
    auto meta = std::make_shared<AutogradMeta>();
    meta->requires_grad = true;
    meta->producer = {node, static_cast<int>(i)};
    outputs[i].set_grad_meta(std::move(meta));
  }
  return outputs;
}

}  // namespace diagrad::autograd
