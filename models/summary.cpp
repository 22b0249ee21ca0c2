#include "diagrad/models/summary.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "diagrad/autograd/grad_mode.h"
#include "diagrad/autograd/observer.h"
#include "diagrad/nn/mode_scope.h"

namespace diagrad::models {
namespace {

/// Tells which module an operation belongs to by the parameters it uses.
class LayerWatch : public autograd::OpObserver {
 public:
  explicit LayerWatch(const nn::Module& model) {
    for (const nn::NamedTensor& parameter : model.named_parameters()) {
      const std::string owner = parameter.name.substr(0, parameter.name.rfind('.'));
      owners_[parameter.tensor.id()] = owner;
      sizes_[owner] += parameter.tensor.numel();
      summary.parameters += parameter.tensor.numel();
    }
  }

  void on_forward(const autograd::OpInfo& op, std::span<const Tensor> inputs,
                  std::span<const Tensor> outputs) override {
    summary.multiply_adds += op.multiply_adds;
    for (const Tensor& output : outputs) {
      summary.activation_bytes += output.numel() * size_of(output.dtype());
    }
    std::set<std::string> owners;
    std::string last;
    for (const Tensor& input : inputs) {
      const auto found = input.defined() ? owners_.find(input.id()) : owners_.end();
      if (found == owners_.end()) continue;
      last = found->second;
      owners.insert(last);
    }
    if (owners.size() == 1 && inputs.size() == 1) {
      // Reshaped, repeated or cast: still that parameter. Kept, so that its id stays its own.
      owners_[outputs.front().id()] = *owners.begin();
      aliases_.push_back(outputs.front());
      return;
    }
    if (!owners.empty()) {
      layer_ = *owners.begin();
      add_call(row_of(owners, last), op, outputs);
    } else if (op.multiply_adds > 0) {
      // Products of activations alone, as self-attention makes them, belong to what holds the
      // layer that ran before.
      add_call(row_named(layer_.substr(0, layer_.rfind('.'))), op, outputs);
    }
  }

  Summary summary;

 private:
  static void add_call(LayerRow& row, const autograd::OpInfo& op, std::span<const Tensor> outputs) {
    row.operation = op.name;
    row.output = outputs.front().shape();
    row.calls += 1;
    row.multiply_adds += op.multiply_adds;
  }

  /// Several modules served by one operation make one row, under the name of what holds them all;
  /// where nothing but the model does, under that of the last.
  LayerRow& row_of(const std::set<std::string>& owners, const std::string& last) {
    std::string name = last;
    while (!std::all_of(owners.begin(), owners.end(), [&](const std::string& owner) {
      return owner == name || owner.starts_with(name + ".");
    })) {
      const size_t dot = name.rfind('.');
      if (dot == std::string::npos) {
        name = last;
        break;
      }
      name.resize(dot);
    }
    LayerRow& row = row_named(name);
    for (const std::string& owner : owners) {
      if (counted_.insert(owner).second) row.parameters += sizes_.at(owner);
    }
    return row;
  }

  LayerRow& row_named(const std::string& name) {
    const auto [place, is_new] = rows_.emplace(name, summary.layers.size());
    if (is_new) summary.layers.emplace_back().name = name;
    return summary.layers[place->second];
  }

  std::map<const void*, std::string> owners_;
  std::vector<Tensor> aliases_;
  std::map<std::string, int64_t> sizes_;
  std::set<std::string> counted_;  ///< owners whose parameters are in a row
  std::map<std::string, size_t> rows_;
  std::string layer_;  ///< the last one that ran
};

DType dtype_of(const nn::Module& model) {
  const auto parameters = model.named_parameters();
  return parameters.empty() ? DType::f32 : parameters.front().tensor.dtype();
}

}  // namespace

Summary summarize(nn::Module& model, const std::function<void()>& forward) {
  const nn::ModeScope modes(model);
  model.eval();
  LayerWatch watch(model);
  {
    const NoGrad no_grad;
    const autograd::ObserverScope scope(watch);
    forward();
  }
  return watch.summary;
}

Summary summarize(nn::Module& model, const Shape& input) {
  Shape batch = input;
  batch.insert(0, 1);
  return summarize(model, [&] { model.forward(Tensor::zeros(batch, dtype_of(model))); });
}

}  // namespace diagrad::models
