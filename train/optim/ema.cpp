#include "diagrad/train/optim/ema.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "diagrad/core/error.h"
#include "diagrad/ops/multi_tensor.h"
#include "diagrad/train/optim/overlap.h"

namespace diagrad::train {

Ema::Ema(nn::StateDict model, double decay) : model_(std::move(model)), decay_(decay) {
  DG_CHECK(decay >= 0.0 && decay <= 1.0, "ema: decay {} is outside [0, 1]", decay);
  std::vector<Tensor> tensors;
  for (const auto& named : model_) {
    DG_CHECK(named.second.is_contiguous(), "ema: {} of shape {} is not contiguous", named.first,
             named.second.shape());
    average_[named.first] = named.second.clone();
    tensors.push_back(named.second);
  }
  check_no_overlap("ema", tensors, [&](size_t number) {
    return std::next(model_.begin(), static_cast<std::ptrdiff_t>(number))->first;
  });
}

void Ema::update(int64_t step) const {
  DG_CHECK(step >= 1, "ema: step {}; steps are counted from 1", step);
  const auto s = static_cast<double>(step);
  const double decay = std::min(decay_, s / (s + 9.0));
  std::vector<LerpTensors> tensors;
  for (const auto& named : average_) {
    const Tensor& average = named.second;
    const Tensor& value = model_.at(named.first);
    if (is_floating(value.dtype())) {
      tensors.push_back({average, value});
    } else {
      average.copy_(value);
    }
  }
  multi_tensor_lerp(tensors, 1.0 - decay);
}

void Ema::swap() const {
  for (const auto& named : average_) {
    const Tensor& value = model_.at(named.first);
    const Tensor before = value.clone();
    value.copy_(named.second);
    named.second.copy_(before);
  }
}

}  // namespace diagrad::train
